"""Dispatch on demand: a nudge wakes one thread of the process, which dispatches once for many.

A nudge for all nodes also carries on with what was asked of whole jobs, for a second at most.

What goes wrong there is logged and left to the sweep of every second; nobody waits for it.
"""

from collections.abc import Sequence
from threading import Event, Lock, Thread

import structlog
from django.db import DatabaseError, close_old_connections, connection
from kombu.exceptions import OperationalError as BrokerError

from hashworld.celery import app
from hashworld.nodes import broker
from hashworld.tasks import pursuit
from hashworld.tasks.dispatch import dispatch
from hashworld.tasks.publisher import CeleryPublisher

log = structlog.get_logger(__name__)


class Dispatcher:
    """A thread that dispatches whenever it is nudged; nudges that come together count as one."""

    def __init__(self) -> None:
        self._woken = Event()
        self._wanted: set[int | None] = set()
        #: Whether a message of the broker has come since the last dispatch.
        self._heard = False
        self._lock = Lock()
        self._thread: Thread | None = None

    def nudge(self, node_id: int | None = None) -> None:
        """Ask for a dispatch soon, to one node or to all of them; returns at once."""
        with self._lock:
            self._wanted.add(node_id)
            self._woken.set()
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._loop, name="dispatcher", daemon=True)
                self._thread.start()

    def sweep(self) -> None:
        """What a message of the broker asks for: a dispatch to all nodes soon."""
        self._heard = True
        self.nudge()

    def _loop(self) -> None:
        while True:
            self._woken.wait()
            with self._lock:
                self._woken.clear()
                wanted, self._wanted = self._wanted, set()
            self.run_once(None if None in wanted else [id_ for id_ in wanted if id_])

    def run_once(self, node_ids: Sequence[int] | None = None) -> int:
        """Dispatch now, to all nodes or to these; the number of tasks given.

        0 when database or broker are away.
        """
        close_old_connections()
        try:
            if node_ids is None:
                pursuit.carry_out_all()
            return self._dispatch(node_ids)
        except (BrokerError, OSError, DatabaseError) as error:
            log.warning("could not dispatch; the sweep tries again", error=repr(error))
            connection.close()
            return 0

    def _dispatch(self, node_ids: Sequence[int] | None) -> int:
        """Dispatch, and note for whoever asks why nothing runs whether the broker took it."""
        heard, self._heard = self._heard, False
        try:
            given = dispatch(CeleryPublisher(app), node_ids)
        except (BrokerError, OSError):
            broker.lost()
            raise
        if heard or given:
            broker.found()
        return given


_dispatcher = Dispatcher()
nudge = _dispatcher.nudge
sweep = _dispatcher.sweep
