"""Makes an installation ready to run: database, lands, schedules, and somebody to log in as."""

import fcntl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import StringIO

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

#: How long whoever prepares waits for another who does, in seconds.
PATIENCE = 600


class Busy(Exception):
    """Another process has been preparing the same database for too long."""


def prepare(patience: int = PATIENCE) -> str:
    """Bring everything up to date, keeping what is there; what to tell of the administrator.

    That text holds the password only when the administrator was made just now. Any number of
    processes may prepare at once: one does at a time. Raises Busy after `patience` seconds.
    """
    settings.STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns where there is none
    silent, told = StringIO(), StringIO()
    with alone(patience):
        call_command("migrate", interactive=False, verbosity=0)
        call_command("initland", stdout=silent)
        call_command("initschedules", stdout=silent)
        call_command("loaddata", "init.json", verbosity=0)
        call_command("inituser", stdout=told)
    # The servers are about to start; a connection kept open here would only be in their way.
    connections.close_all()
    return told.getvalue().strip()


@contextmanager
def alone(patience: int = PATIENCE) -> Iterator[None]:
    """Hold the lock that belongs to the database; the death of the holder frees it at once."""
    with _file_lock() if connection.vendor == "sqlite" else _server_lock(patience):
        yield


@contextmanager
def _file_lock() -> Iterator[None]:
    with (settings.DATA_DIR / "prepare.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _server_lock(patience: int) -> Iterator[None]:
    """MySQL's named lock, on a connection of its own: what is prepared may close the other one."""
    with closing(connection.copy()) as own, own.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(CONCAT(DATABASE(), '.prepare'), %s)", [patience])
        if cursor.fetchone() != (1,):
            raise Busy(f"another process has been preparing this database for {patience} s")
        yield
