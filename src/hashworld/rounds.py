"""A thread that does the same again and again, whatever fails."""

from collections.abc import Callable
from threading import Event, Thread

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

log = structlog.get_logger(__name__)

#: Seconds after a round that failed.
FAILED = 5.0


class Rounds:
    """Calls `act` every `pause` seconds from `start` to `stop`.

    A round that fails is logged and tried again, with a new connection to the database; errors
    that are `expected`, like those of the database, without their traceback. Nobody waits for
    these rounds, and what else the process does must go on.
    """

    def __init__(
        self,
        name: str,
        act: Callable[[], object],
        pause: float,
        *,
        failed: float | None = None,
        expected: tuple[type[Exception], ...] = (),
    ) -> None:
        self._name = name
        self._act = act
        self._pause = pause
        self._failed = FAILED if failed is None else failed
        self._expected: tuple[type[Exception], ...] = (*expected, DatabaseError, InterfaceError)
        self._stopped = Event()
        self._thread = Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float = 5) -> None:
        """Begin no other round, and wait for the one under way."""
        self._stopped.set()
        self._thread.join(timeout)

    def _loop(self) -> None:
        pause = self._pause
        while not self._stopped.wait(pause):
            pause = self._pause if self._round() else self._failed
        connection.close()

    def _round(self) -> bool:
        close_old_connections()
        try:
            self._act()
        except self._expected as error:
            reason = f"{type(error).__name__}: {error}"
            log.warning("a round failed; trying again", rounds=self._name, error=reason)
        except Exception:
            log.exception("a round failed; trying again", rounds=self._name)
        else:
            return True
        connection.close()
        return False
