"""Where a scheduler process begins to tell."""

from typing import Any

from celery.signals import beat_init

from hashworld.webhooks import service


@beat_init.connect
def begin(**_: Any) -> None:
    """Tell from now on, in every scheduler process."""
    service.start()
