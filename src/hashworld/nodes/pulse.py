"""The file that a health check looks at: its age says how long ago a process was at work.

It says nothing of database and broker: a process that waits for them is well, and starting it
again would bring neither back.
"""

from pathlib import Path

from django.conf import settings


def show(tick_age: float = 0.0) -> None:
    """Renew the file, if there is to be one and the engine's loop turned within a lease's length.

    `tick_age` is how many seconds ago that was.
    """
    if settings.ENV.alive_file and tick_age < settings.ENV.lease_seconds:
        Path(settings.ENV.alive_file).touch()
