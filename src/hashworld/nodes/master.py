"""What only the master does, and the thread that would be master.

The thread runs in every scheduler process. It competes for leadership, and while it leads it
keeps the lands with the live nodes; the same process fires the schedules.
"""

import atexit
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic

import structlog
from django.db import DatabaseError, close_old_connections, connection

from hashworld.nodes import clock, identity, lands
from hashworld.nodes.leadership import Candidate, TermOver
from hashworld.nodes.models import Node

log = structlog.get_logger(__name__)

#: Seconds between two looks at the nodes.
WATCH = 1.0


class Master:
    """Competes from `start` to `stop`; while `candidate` leads, the lands follow the nodes."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        #: The term and the nodes (id, name, weight) that the lands were last assigned for.
        self._planned: tuple[int, list[tuple[int, str, int]]] | None = None
        self._stopped = Event()
        self._thread = Thread(target=self._loop, name="master", daemon=True)

    def start(self) -> None:
        """Begin to compete."""
        self._thread.start()

    def stop(self) -> None:
        """Compete no more, and let another lead at once."""
        self._stopped.set()
        self._thread.join(timeout=5)
        self.candidate.resign()

    def compete(self) -> None:
        """Renew or take the leadership, and tell when it was taken."""
        close_old_connections()
        before = self.candidate.term
        self.candidate.run_once()
        if (term := self.candidate.term) not in (None, before):
            log.info("this is the master", holder=self.candidate.holder, term=term)

    def run_once(self) -> int:
        """Do what is the master's, if this is the master; the number of lands that moved."""
        term = self.candidate.term
        if term is None:
            return 0
        try:
            return self._keep_lands(term)
        except TermOver as over:
            log.warning("the lands are another's to assign", reason=str(over))
        except DatabaseError as error:
            log.warning("the lands could not be assigned", error=str(error))
            connection.close()
        return 0

    def _keep_lands(self, term: int) -> int:
        """Assign the lands when the nodes are no longer those that they were assigned for."""
        alive = Node.objects.alive(clock.now()).order_by("pk")
        nodes = list(alive.values_list("pk", "name", "max_tasks"))
        if self._planned == (term, nodes):
            return 0
        if self._planned is None or self._planned[0] != term:
            lands.make()
        moved = lands.assign(term)
        self._planned = (term, nodes)
        if moved:
            log.info("lands moved", lands=moved, nodes=len(nodes), term=term)
        return moved

    def _loop(self) -> None:
        compete_at = monotonic()
        while not self._stopped.is_set():
            if monotonic() >= compete_at:
                began = monotonic()
                self._try(self.compete)
                compete_at = began + self.candidate.pause()
            self._try(self.run_once)
            self._stopped.wait(min(WATCH, max(0.0, compete_at - monotonic())))
        connection.close()

    def _try(self, act: Callable[[], object]) -> None:
        """Whatever fails, go on competing: a scheduler that gave up would look like a standby."""
        try:
            act()
        except Exception:
            log.exception("the master's round failed; trying again", holder=self.candidate.holder)
            connection.close()


_master: Master | None = None


def start() -> Master:
    """This process's own, started when first asked for; it resigns when the process ends."""
    global _master
    if _master is None:
        _master = Master(Candidate(f"{identity.name()}/{identity.incarnation()}"))
        _master.start()
        atexit.register(_master.stop)
    return _master
