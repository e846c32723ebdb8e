"""What a fault of the long run acts on, and what it may wait for."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from time import monotonic
from typing import NamedTuple

from django.db.models import Q, QuerySet

from hashworld.nodes import clock
from hashworld.nodes.models import Land, Leadership, Node, NodeState, silence, suspicion
from hashworld.tasks.models import Attempt, Host, Lease, Task
from hashworld.tasks.states import State
from tests.chaos.app import POINTS
from tests.chaos.ledger import Ledger
from tests.chaos.nemesis.feeder import Feeder
from tests.chaos.nemesis.holds import Hold
from tests.chaos.nemesis.plan import Steps, in_turn
from tests.chaos.nemesis.rescue import Silence
from tests.chaos.network import Links, Network
from tests.chaos.nodes import Fleet
from tests.chaos.site import MANY_HOSTS
from tests.chaos.stage import PATIENCE, Stage
from tests.chaos.verdict import LOSSES
from tests.program import Program
from tests.services import Cluster

#: How long a silence may show after its end: in a lease that ran out in it and is reaped later.
GRACE = timedelta(seconds=5)


class Wait(NamedTuple):
    """What a fault waits for, in words, and for how many seconds at most."""

    condition: Callable[[], object]
    what: str
    patience: float = PATIENCE


@dataclass(frozen=True, slots=True)
class Failover:
    """Seconds from the fall of a master until another held the row."""

    kind: str
    seconds: float


@dataclass
class Scene:
    """The stage of the long run, with the network, the servers, and what was noted."""

    stage: Stage
    network: Network
    servers: Cluster
    feeder: Feeder
    seed: int
    silences: list[Silence] = field(default_factory=list)
    failovers: list[Failover] = field(default_factory=list)
    #: Times in which every node's database was slow: not even unstarted leases may be lost then.
    slow: list[tuple[datetime, datetime]] = field(default_factory=list)
    #: Times in which no scheduler could lead, whatever it did.
    headless: list[tuple[datetime, datetime]] = field(default_factory=list)
    #: The tasks of pages that never answer whose kill must be obeyed at once.
    killed: list[int] = field(default_factory=list)
    #: The tasks of pages that never answer which nodes were given to hold; whatever is left of
    #: them is killed when all faults are over.
    hanging: list[int] = field(default_factory=list)
    #: The fetches that nodes held when they were cut off.
    holds: list[Hold] = field(default_factory=list)
    #: The points at which nodes were stopped, and those to come.
    points: list[str] = field(default_factory=list)
    _points: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self._points = in_turn(list(POINTS), Random(self.seed))

    @property
    def fleet(self) -> Fleet:
        return self.stage.fleet

    @property
    def ledger(self) -> Ledger:
        return self.stage.ledger

    def links(self, name: str) -> Links:
        return self.network[name]

    # Nodes

    def stopped_at_work(self, name: str) -> Steps:
        """Stop a node at a moment when it runs something that another loss would not end.

        A task's third loss ends it, by contract; that is asked of `poison` alone.
        """
        yield Wait(lambda: self._is_at_work(name) and self._stop(name), f"work on {name}")

    def hangs(self, name: str) -> Generator[Wait, None, tuple[int, str]]:
        """Have a node fetch a page that never answers, as far as its hosts stay with it."""
        yield Wait(lambda: self._running(name).exists(), f"work on {name}")
        host = self._running(name).values_list("host__name", flat=True).first() or MANY_HOSTS[0]
        task_id, url = self.stage.hanging_page(MANY_HOSTS.index(host))
        self.hanging.append(task_id)
        yield Wait(lambda: self.stage.site.waiting(url), f"a fetch of {url}")
        return task_id, url

    def holding(self, silence: Silence, task_id: int, url: str) -> None:
        """Note what a silenced node holds, unless another one fetches it after all."""
        task = self._running(silence.node).filter(pk=task_id).first()
        if task and task.lease_id:
            self.holds.append(Hold(silence.kind, silence.node, url, task.lease_id, silence.began))

    def hosts_of(self, name: str) -> list[int]:
        """The numbers of the site's hosts that are of a node's lands."""
        lands = Land.objects.filter(node__name=name).values("pk")
        known = Host.objects.filter(land__in=lands).order_by("pk").values_list("name", flat=True)
        return [MANY_HOSTS.index(host) for host in known if host in MANY_HOSTS]

    def silenced(self, kind: str, name: str) -> Silence:
        """Note that a node is silent from now on."""
        silence = Silence(kind, name, self.stage.incarnation(name), clock.now())
        self.silences.append(silence)
        return silence

    def rescued(self, silence: Silence) -> Steps:
        """Wait until a silent node is missed and holds nothing; note when it was last heard."""
        yield Wait(lambda: self._is_missed(silence.node), f"rescue of {silence.node}'s leases")
        silence.last_beat = Node.objects.get(name=silence.node).seen_at

    def heard_again(self, silence: Silence, patience: float = PATIENCE) -> Steps:
        """Wait until a node that was silent beats again, by itself; its silence is over."""
        now = clock.now()
        silence.ended = now
        back = Node.objects.filter(
            name=silence.node,
            incarnation=silence.incarnation,
            state=NodeState.ALIVE,
            seen_at__gt=now,
        )
        yield Wait(back.exists, f"a heartbeat of {silence.node}", patience)

    def joined(self, name: str) -> Steps:
        """Wait until a node that was launched is ready."""
        yield Wait(lambda: self.fleet.is_ready(name), f"{name} at work again")

    def takes_leases(self, name: str) -> Steps:
        """Wait until a node starts leases again."""
        now = clock.now()
        began = Lease.objects.filter(node__name=name, started_at__gt=now)
        yield Wait(began.exists, f"a lease that {name} starts")

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Nothing new is handed in while the context lasts."""
        self.feeder.rests = True
        try:
            yield
        finally:
            self.feeder.rests = False

    def spared(self) -> Steps:
        """Wait until there is no task that another loss would end.

        They wait for long in a busy cluster: let the feeder rest.
        """
        suspects = Task.objects.filter(ended=None, losses__gte=LOSSES - 1)
        yield Wait(lambda: not suspects.exists(), "an end of what another loss would end")

    def flows(self) -> Steps:
        """Wait until new work is leased, fetched and recorded."""
        now = clock.now()
        leases = Lease.objects.filter(created_at__gt=now).values("pk")
        done = Attempt.objects.filter(lease__in=leases, error="")
        yield Wait(done.exists, "new work that is done")

    def renewed(self) -> Steps:
        """Wait until every lease was renewed, so that two short outages do not make a long one."""

        def is_fresh() -> bool:
            due = clock.now() + 2 / 3 * silence()
            return not Lease.objects.open().filter(started_at__isnull=False, expires_at__lt=due)

        yield Wait(is_fresh, "renewed leases")

    def next_point(self) -> str:
        """Where the next node is to stop: nowhere twice before it was everywhere once."""
        point = next(self._points)
        self.points.append(point)
        return point

    def harmless(self, name: str) -> bool:
        """Whether a node runs nothing that another loss would end."""
        return not self._running(name).filter(losses__gte=LOSSES - 1).exists()

    def _is_at_work(self, name: str) -> bool:
        return self._running(name).exists() and self.harmless(name)

    def _stop(self, name: str) -> bool:
        node = self.fleet[name]
        node.freeze()
        if node.is_alive() and self._is_at_work(name):
            return True
        node.thaw()
        return False

    def _running(self, name: str) -> "QuerySet[Task]":
        node = Node.objects.get(name=name)
        leases = Lease.objects.open().filter(node=node, incarnation=node.incarnation)
        return Task.objects.filter(lease__in=leases.values("pk"), state=State.RUNNING)

    def _is_missed(self, name: str) -> bool:
        unheard = Q(name=name, seen_at__lt=clock.now() - suspicion())
        return Node.objects.filter(unheard).exists() and not self.stage.held(name)

    # The master

    @contextmanager
    def nobody_leads(self) -> Iterator[None]:
        """Note that no scheduler can lead while the context lasts."""
        began = clock.now()
        yield
        self.headless.append((began, clock.now()))

    def holder(self) -> str:
        """Who leads, as the row of the leadership names it; "" while nobody does."""
        row = Leadership.objects.filter(expires_at__gt=clock.now()).first()
        return row.holder if row else ""

    def master(self) -> Program | None:
        """The scheduler that leads."""
        name = self.holder().partition("/")[0]
        return self.fleet[name] if name in self.fleet else None

    def term(self) -> int:
        """The term of whoever leads, or led last."""
        return Leadership.objects.get().term

    def another_master(self, kind: str, fallen: str) -> Steps:
        """Wait until another holder than `fallen` leads; note how long it took.

        A scheduler that was killed comes back under its name, but as another holder.
        """
        began = clock.now()
        yield Wait(lambda: self.holder() not in ("", fallen), "another master")
        self.failovers.append(Failover(kind, (clock.now() - began).total_seconds()))


def passed(seconds: float) -> Wait:
    """A wait for time to pass."""
    until = monotonic() + seconds
    return Wait(lambda: monotonic() >= until, "time", seconds + PATIENCE)
