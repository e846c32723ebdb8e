"""One run's stage: a site, a fleet, a broker and a ledger, and the waiting for what must come."""

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from math import inf
from pathlib import Path
from random import Random
from threading import Event
from time import monotonic
from typing import Any
from unittest.mock import patch

from hashworld.embedded.roles import NODE_THREADS
from hashworld.fetcher.limits import MOST
from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import portion
from hashworld.tasks.models import Lease, Priority, Task
from hashworld.tasks.states import State
from tests.chaos import trace
from tests.chaos.broker import Broker
from tests.chaos.ledger import Ledger
from tests.chaos.nodes import Fleet, is_scheduler
from tests.chaos.site import PARKED, Site
from tests.chaos.verdict import Fate
from tests.program import Program

PATIENCE = 180.0
#: The limits of a fetch that nobody but a person ends: as long as a job may ask for, and longer
#: than anybody waits here.
PATIENT = {"first_byte_timeout": MOST["first_byte_timeout"], "total_timeout": 900.0}
#: RabbitMQ hands a node so many messages ahead: one for each of its Celery threads.
PREFETCHED = NODE_THREADS


class StageError(Exception):
    """What had to come did not come in time."""


@dataclass
class Stage:
    """Everything that a fault acts on.

    `files` are the SQLite files that the nodes share, if they stand on such.
    """

    site: Site
    fleet: Fleet
    broker: Broker
    ledger: Ledger
    files: tuple[Path, ...] = ()
    dice: Random = field(default_factory=Random)
    #: What was measured.
    figures: dict[str, Any] = field(default_factory=dict)
    _part: int = 0
    _stamp: str = field(default_factory=lambda: secrets.token_hex(3))

    def start(self, *names: str) -> None:
        """Start nodes under names that no other stage has, or the scheduler."""
        self.fleet.start(*(n if is_scheduler(n) else f"{n}-{self._stamp}" for n in names))

    def load(self, count: int) -> list[int]:
        """Hand in `count` pages, most of them slow and some flaky; the ids of their tasks."""
        self._part += 1
        urls = [
            self.site.url(f"/{self._kind()}/{self._part}/{number}", number)
            for number in range(count)
        ]
        return self.ledger.hand_in(urls)

    def page(self, kind: str, fate: Fate = Fate.SUCCEED, **options: Any) -> tuple[int, str]:
        """Hand in one page of a kind on a host of the dice's choice; its task's id and its URL."""
        self._part += 1
        url = self.site.url(f"/{kind}/{self._part}", self.dice.randrange(8))
        return self.ledger.hand_in([url], fate, **options)[0], url

    def urgent_page(self, host: int) -> int:
        """Hand in a page that no other page delays; its task's id."""
        self._part += 1
        url = self.site.url(f"/page/{self._part}", host)
        return self.ledger.hand_in([url], priority=Priority.HIGH)[0]

    def hanging_page(self, host: int) -> tuple[int, str]:
        """Hand in a page that never answers, which no deadline ends and no other page delays."""
        self._part += 1
        url = self.site.url(f"/hang/{self._part}", host)
        options: dict[str, Any] = {"limits": PATIENT, "priority": Priority.HIGH}
        return self.ledger.hand_in([url], Fate.KILLED, **options)[0], url

    def wait(self, condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        """Wait for a condition; whoever dies meanwhile is started again."""
        deadline = monotonic() + patience
        while not condition():
            if monotonic() > deadline:
                raise StageError(f"{what}: not in {patience:.0f} s")
            self.fleet.tend()
            Event().wait(0.05)

    def settle(self) -> None:
        """Wait until every task is at its end."""
        self.wait(self.ledger.is_settled, "every task at its end")

    def busy_node(self) -> str:
        """The name of a node that is fetching, of the dice's choice."""
        self.wait(self._busy, "a node that is fetching")
        return self.dice.choice(self._busy())

    def held(self, name: str) -> list[int]:
        """The open leases of a node."""
        return list(Lease.objects.open().filter(node__name=name).values_list("pk", flat=True))

    def wait_for_rescue(self, name: str, figure: str) -> None:
        """Wait until a silent node holds nothing; notes how long that took.

        What it was given since it fell silent, while it was not yet missed, counts too.
        """
        began = clock.now()
        self.wait(lambda: not self.held(name), "rescue of a silent node's leases")
        leases = Lease.objects.filter(node__name=name).values_list("pk", flat=True)
        self.figures[figure] = rescued_after(leases, began)

    def incarnation(self, name: str) -> str:
        """The present incarnation of a node."""
        return Node.objects.get(name=name).incarnation

    def names(self) -> list[str]:
        """The names of the nodes."""
        return [node.name for node in self.fleet.nodes]

    def frozen(self) -> list[Program]:
        """The nodes that stand still."""
        return [node for node in self.fleet.nodes if node.is_frozen()]

    def lose_messages(self, load: int, patience: float = PATIENCE) -> None:
        """Hand in `load` pages while all nodes stand still, and delete the messages to them.

        This process alone dispatches meanwhile, and gives out more than RabbitMQ hands on.
        """
        deadline = monotonic() + patience
        with patch.object(portion, "STARTS", inf):
            for _ in range(PREFETCHED + 2):
                before = set(self._on_their_way())
                self.load(load // (PREFETCHED + 2))
                left = deadline - monotonic()
                self.wait(partial(self._others_than, before), "leases on their way", left)
        left = deadline - monotonic()
        self.wait(lambda: self.broker.purge(self.names()), "messages to delete", left)

    @contextmanager
    def standstill(self) -> Iterator[None]:
        """Every node stands still while the context lasts."""
        nodes = self.fleet.nodes
        try:
            for node in nodes:
                self.freeze(node)
            yield
        finally:
            for node in nodes:
                node.thaw()

    def freeze(self, node: Program) -> None:
        """Freeze a node, but not while it locks a file that all the others need too."""
        with ExitStack() as stack:
            for file in self.files:
                stack.enter_context(_locked(file))
            node.freeze()

    def freeze_parked(self) -> Program:
        """Freeze the node that waits for it with a result in its hands."""
        self.wait(self._parked, "a node with a result in its hands")
        (node,) = self._parked()
        self.freeze(node)
        return node

    def _parked(self) -> list[Program]:
        return [node for node in self.fleet.nodes if PARKED in node.said()]

    def _on_their_way(self) -> list[int]:
        unstarted = Lease.objects.open().filter(started_at=None)
        return list(unstarted.values_list("pk", flat=True))

    def _others_than(self, before: set[int]) -> bool:
        return not before.issuperset(self._on_their_way())

    def _kind(self) -> str:
        return self.dice.choices(
            ("page", "flaky", f"slow/{self.dice.randrange(100, 500)}"), (10, 5, 85)
        )[0]

    def _busy(self) -> list[str]:
        running = Task.objects.filter(state=State.RUNNING).values("lease")
        # A node that has just died and been started again still has its leases, but another pid.
        alive = [node.pid for node in self.fleet.nodes if node.is_alive()]
        leases = Lease.objects.open().filter(pk__in=running, node__pid__in=alive)
        return sorted(set(leases.values_list("node__name", flat=True)))


def rescued_after(lease_ids: Iterable[int], began: datetime) -> float:
    """Seconds from a moment until the last task was taken back from these leases."""
    leases = set(lease_ids)
    moments = [
        change.at
        for change in trace.read()
        if change.old_lease in leases and change.new_lease is None and change.at >= began
    ]
    return max((round((moment - began).total_seconds(), 1) for moment in moments), default=0.0)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Nobody else holds the lock of a SQLite file while the context lasts."""
    with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
