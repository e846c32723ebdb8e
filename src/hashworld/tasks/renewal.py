"""What keeps a node's leases: one thread renews them and looks for kills, one ends their trust.

It is not the writer's, whose transactions take long where the database is far away or others lock
its rows: a node that waits to write is alive, and must not lose what it holds. And who waits for
a database that says nothing cannot look at the clock, so trust is watched by a thread that asks
nobody.
"""

from collections.abc import Callable, Iterable
from threading import Event, Thread
from time import monotonic

import structlog
from django.db import DatabaseError, InterfaceError, connection

from hashworld.fetcher.errors import EngineStopped
from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import kills, rows
from hashworld.tasks.accounts import OPEN
from hashworld.tasks.holdings import Holdings
from hashworld.tasks.lifetimes import lease_time
from hashworld.tasks.models import Lease

log = structlog.get_logger(__name__)

#: How soon a kill reaches a running fetch, at most (contract C8 asks for 2 s).
WATCH_SECONDS = 1.0
#: How often it looks whether anything is to be done.
LOOK_SECONDS = 0.25
#: The pause after a database that failed.
FAILED_SECONDS = 1.0
#: An engine that stood still at so many looks in a row does not turn any more. Counted in looks,
#: for a process that stood still itself finds its engine late when it wakes up.
STILL_LOOKS = 40


class Renewer:
    """Renews what a node holds, and lets go of what it no longer has.

    `beat` asks for a heartbeat, `cancel` is given the engine's keys of tasks that are no longer
    the node's, `give_back` the leases that were let go; `turning` tells whether the engine still
    turns: work that is not being done must not be renewed (contract C5). `failed` is called when
    the thread ends by a fault of ours, or the engine does not turn any more: a node that cannot
    renew must not go on.
    """

    def __init__(
        self,
        node: Node,
        holdings: Holdings,
        *,
        beat: Callable[[], None],
        cancel: Callable[[Iterable[int]], None],
        give_back: Callable[[Iterable[int]], None],
        turning: Callable[[], bool],
        failed: Callable[[], None],
    ) -> None:
        self._node = node
        self._holdings = holdings
        self._beat = beat
        self._cancel = cancel
        self._give_back = give_back
        self._turning = turning
        self._failed = failed
        self._stopped = Event()
        self._watch_at = 0.0
        self._still = 0
        self._trust = Thread(target=self._trust_loop, name="trust", daemon=True)
        self._thread = Thread(target=self._loop, name="renewer", daemon=True)

    def start(self) -> None:
        """Start both threads."""
        self._thread.start()
        self._trust.start()

    def stop(self, timeout: float) -> None:
        """End both threads."""
        self._stopped.set()
        self._thread.join(timeout)
        self._trust.join(timeout)

    def distrust(self, now: float) -> None:
        """Let go of what may be another's by now; asks nobody, waits for nobody."""
        self._let_go(self._holdings.distrusted(now))

    def run_once(self, now: float) -> None:
        """Renew and look for kills when it is time; raises EngineStopped when it stands still."""
        turning = self._turning()
        self._still = 0 if turning else self._still + 1
        if self._still >= STILL_LOOKS:
            raise EngineStopped("the engine does not turn any more")
        if turning and self._holdings.due(now):
            self._renew(now)
        if now >= self._watch_at:
            self._watch()
            self._watch_at = now + WATCH_SECONDS

    def _trust_loop(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            self.distrust(monotonic())

    def _loop(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            try:
                self.run_once(monotonic())
            except (DatabaseError, InterfaceError) as error:
                log.warning("could not renew; trying again", error=str(error))
                connection.close()
                self._stopped.wait(FAILED_SECONDS)
            except Exception:
                log.exception("the renewer failed; the node stops")
                self._failed()
                break
        connection.close()

    def _renew(self, now: float) -> None:
        """Renew all held leases in one statement; let go of those that are no longer ours.

        A beat goes with it, so that no lease outlives its node's last beat by more than its time;
        by another thread, for who gives the node work may hold its row.
        """
        held = self._holdings.leases()
        longer = rows.put("expires_at", rows.stamp(clock.now() + lease_time()))
        self._beat()
        if rows.update(Lease, held, [longer], guard=OPEN) < len(held):
            kept = set(Lease.objects.open().filter(pk__in=held).values_list("pk", flat=True))
            lost = self._holdings.missing(set(held) - kept)
            self._let_go(lost)
            held = sorted(set(held).difference(lost))
        self._holdings.renewed(held, now)

    def _watch(self) -> None:
        """Cut off what was killed, again and again until the engine says that it is."""
        held = self._holdings.leases()
        if held and (keys := self._holdings.keys(kills.unconfirmed(held))):
            self._cancel(keys)

    def _let_go(self, lease_ids: list[int]) -> None:
        if lease_ids:
            keys = self._holdings.drop(lease_ids)
            log.warning("leases lost", leases=lease_ids, tasks=len(keys))
            self._cancel(keys)
            # If nobody has rescued them by then, giving them back costs their tasks no loss.
            self._give_back(lease_ids)
