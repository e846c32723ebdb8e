"""The one thread of a node that writes: it flushes ended tries in sets."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from threading import Event, Thread

import structlog
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    connection,
)

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import content, counts, kills, moves, rows
from hashworld.tasks.attempts import Ended
from hashworld.tasks.content import Body, Place, Store, freeing
from hashworld.tasks.counts import Count
from hashworld.tasks.holdings import Holdings
from hashworld.tasks.models import Lease
from hashworld.tasks.states import Verb
from hashworld.transaction import retried

log = structlog.get_logger(__name__)

FLUSH_ROWS = 500
#: A set costs the database and its dispatch much the same whatever its size: it may wait so long
#: to become larger, unless nothing more is under way.
FLUSH_SECONDS = 0.5
#: The pause after a database or a disk that failed.
FAILED_SECONDS = 1.0
#: What passes: the same may be written once the database or the disk is back.
PASSING = (OperationalError, InterfaceError, OSError)


class Writer:
    """Takes ended tries from any thread and records them.

    `freed` is called after each flush, `failed` when the thread ends by a fault of ours: a node
    that cannot write must not go on.
    """

    def __init__(
        self,
        node: Node,
        holdings: Holdings,
        store: Store,
        *,
        freed: Callable[[], None],
        failed: Callable[[], None],
    ) -> None:
        self._node = node
        self._holdings = holdings
        self._store = store
        self._freed = freed
        self._failed = failed
        self._ended: deque[Ended] = deque()
        self._to_release: deque[int] = deque()
        #: (lease id, task id) of fetches that do not go on and have no result that counts
        self._cut: deque[tuple[int, int]] = deque()
        self._wake = Event()
        self._stopping = False
        self._thread = Thread(target=self._loop, name="writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, ended: Iterable[Ended]) -> None:
        """Hand over ended tries; returns at once."""
        self._ended.extend(ended)
        self._wake_if_worth_it()

    def cut(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Hand over fetches that were cut off, as (lease id, task id); returns at once."""
        self._cut.extend(pairs)

    def give_back(self, lease_ids: Iterable[int]) -> None:
        """Hand over leases that this node does not hold, or no longer; returns at once."""
        self._to_release.extend(lease_ids)

    def stop(self, timeout: float) -> None:
        """Flush what is there and end the thread."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout)

    def _wake_if_worth_it(self) -> None:
        """Do not wait for more when a set is full, or when nothing more is under way."""
        if len(self._ended) >= min(FLUSH_ROWS, max(1, len(self._holdings))):
            self._wake.set()

    def _loop(self) -> None:
        while not self._stopping or self._ended or self._cut:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            try:
                self.run_once()
            except PASSING as error:
                log.warning("could not write; trying again", error=str(error))
                connection.close()
                Event().wait(FAILED_SECONDS)
            except Exception:
                log.exception("the writer failed; the node stops")
                self._failed()
                break
        connection.close()

    def run_once(self) -> None:
        """Flush one set, and settle what has no result."""
        self._flush()
        self._settle_cut()
        # What has ended under a lease that goes back counts, if it is recorded before.
        if not self._ended:
            self._release()

    def _flush(self) -> None:
        batch = [self._ended.popleft() for _ in range(min(FLUSH_ROWS, len(self._ended)))]
        if not batch:
            return
        self._holdings.ending(ended.lease_id for ended in batch)
        left = list(batch)
        try:
            self._record(left)
        except PASSING:
            self._ended.extendleft(reversed(left))
            raise
        self._holdings.ending(())
        self._freed()
        self._wake_if_worth_it()

    def _settle_cut(self) -> None:
        """Confirm the kills among the fetches that were cut off, and give the others back."""
        pairs = {self._cut.popleft() for _ in range(len(self._cut))}
        if not pairs:
            return
        try:
            kills.confirm(pairs, clock.now())
            for chunk in rows.chunks(sorted(pairs), FLUSH_ROWS):
                moves.give_back(chunk)
        except PASSING:
            self._cut.extend(pairs)
            raise
        self._holdings.done(pairs)

    def _release(self) -> None:
        """Give leases back, but none that is held after all because its message came twice."""
        lease_ids = {self._to_release.popleft() for _ in range(len(self._to_release))}
        if not lease_ids:
            return
        # A message that went astray names another node's.
        ours = Lease.objects.filter(node=self._node, incarnation=self._node.incarnation)
        loose = lease_ids.difference(self._holdings.leases())
        try:
            moves.release(sorted(ours.filter(pk__in=loose).values_list("pk", flat=True)))
        except PASSING:
            self._to_release.extend(lease_ids)
            raise

    def _record(self, left: list[Ended]) -> None:
        """Record ends, and take those out of `left` that are recorded or refused for good."""
        try:
            self._settle(left, self._keep_and_record(left))
        except PASSING:
            raise
        except (DatabaseError, ValueError):  # the second for text that cannot be encoded
            # One row that the database refuses must not hold up the others.
            while left:
                self._settle(left[:1], self._record_alone(left[0]))
                del left[0]

    def _record_alone(self, ended: Ended) -> set[tuple[int, int]]:
        try:
            return self._keep_and_record([ended])
        except PASSING:
            raise
        except (DatabaseError, ValueError):
            log.exception("a try could not be recorded as it is", task=ended.task_id)
            return record([_plain(ended)], [], self._node.pk)

    def _settle(self, batch: Sequence[Ended], recorded: Collection[tuple[int, int]]) -> None:
        """Let go of what is written; what the fence refused leaves nothing."""
        if refused := [ended.pair for ended in batch if ended.pair not in recorded]:
            log.warning("results refused by the fence", refused=len(refused))
            # Some may have been killed: that their results came is as good as a cut.
            self._cut.extend(refused)
        self._holdings.done(ended.pair for ended in batch)

    def _keep_and_record(self, batch: Sequence[Ended]) -> set[tuple[int, int]]:
        while True:
            try:
                return record(batch, self._keep(batch), self._node.pk)
            except _Freed:
                log.info("a body was freed before it could be named; it is kept anew")

    def _keep(self, batch: Sequence[Ended]) -> list[Place]:
        """Make those bodies durable that are not kept yet."""
        bodies = {e.sha256: Body(e.sha256, e.size, e.compressed) for e in batch if e.sha256}
        known = content.known(bodies)
        return self._store.keep([body for key, body in bodies.items() if key not in known])


class _Freed(Exception):
    """A body that was known has been freed meanwhile."""


@retried
def record(batch: Sequence[Ended], places: Sequence[Place], node_id: int) -> set[tuple[int, int]]:
    """Contents, attempts and states of one set, in one transaction; the pairs recorded."""
    now = clock.now()
    made = content.register(places, now)
    ids = made | content.hold({e.sha256 for e in batch if e.sha256} - made.keys())
    for ended in batch:
        # Set anew at every try: ids of a transaction that was rolled back name nothing.
        ended.content_id = ids.get(ended.sha256)
    if any(ended.sha256 and ended.content_id is None for ended in batch):
        raise _Freed
    recorded = moves.finish(batch, now)
    kept = [place for place in places if place.sha256 in made]
    counts.add(now, _counts(batch, recorded, node_id, kept))
    if refused := {e.content_id for e in batch if e.pair not in recorded and e.content_id}:
        freeing.free(refused, now)
    return recorded


def _counts(
    batch: Sequence[Ended],
    recorded: Collection[tuple[int, int]],
    node_id: int,
    kept: Sequence[Place],
) -> list[Count]:
    tries = [
        Count(node_id, ended.error or counts.SUCCEEDED, 1, ended.received, ended.seconds)
        for ended in batch
        if ended.pair in recorded
    ]
    stored = sum(place.stored for place in kept)
    others = (
        Count(node_id, counts.FENCED, len(batch) - len(tries)),
        Count(node_id, counts.KEPT, len(kept), stored),
    )
    return tries + [count for count in others if count.number]


def _plain(ended: Ended) -> Ended:
    """The same try without what it brought home, ended as an internal error."""
    return Ended(
        task=ended.task,
        node_id=ended.node_id,
        verb=Verb.FAIL,
        seconds=ended.seconds,
        status=ended.status,
        error="internal",
        detail="The database refused this result; the node's log tells why.",
    )
