"""One run's stage: a site, a fleet, a broker and a ledger, and the waiting for what must come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from threading import Event
from time import monotonic
from typing import Any

from django.db import connection

from hashworld.nodes.models import Node
from hashworld.tasks.models import Lease, Task
from hashworld.tasks.states import State
from tests.chaos.broker import Broker
from tests.chaos.ledger import Ledger
from tests.chaos.nodes import Fleet, Program
from tests.chaos.site import Site
from tests.chaos.verdict import Fate

PATIENCE = 90.0


class StageError(Exception):
    """What had to come did not come in time."""


@dataclass
class Stage:
    """Everything that a fault acts on. `lease` is the length of a lease in seconds."""

    site: Site
    fleet: Fleet
    broker: Broker
    ledger: Ledger
    lease: float
    dice: Random = field(default_factory=Random)
    #: A part of each path, so that no two submissions share a URL.
    part: int = 0
    #: Figures of what was seen.
    figures: dict[str, Any] = field(default_factory=dict)

    def load(self, count: int) -> list[int]:
        """Hand in `count` pages, most of them slow; the ids of their tasks."""
        self.part += 1
        urls = [
            self.site.url(f"/{self._kind()}/{self.part}/{number}", number)
            for number in range(count)
        ]
        return self.ledger.hand_in(urls)

    def page(self, kind: str, fate: Fate = Fate.SUCCEED, **options: Any) -> tuple[int, str]:
        """Hand in one page of a kind on a host of the dice's choice; its task's id and its URL."""
        self.part += 1
        url = self.site.url(f"/{kind}/{self.part}", self.dice.randrange(8))
        return self.ledger.hand_in([url], fate, **options)[0], url

    def wait(
        self, condition: Callable[[], object], what: str, patience: float = PATIENCE
    ) -> None:
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

    def incarnation(self, name: str) -> str:
        return Node.objects.get(name=name).incarnation

    def frozen(self) -> list[Program]:
        """The nodes that stand still."""
        return [node for node in self.fleet.nodes if node.is_frozen()]

    @contextmanager
    def standstill(self) -> Iterator[None]:
        """Every node stands still while the context lasts."""
        for node in self.fleet.nodes:
            self.freeze(node)
        yield
        for node in self.fleet.nodes:
            node.thaw()

    def freeze(self, node: Program) -> None:
        """Freeze a node, but not while it locks the one file that is the whole database."""
        node.freeze()
        while connection.vendor == "sqlite" and not _can_write():
            node.thaw()
            Event().wait(0.01)
            node.freeze()

    def _kind(self) -> str:
        if self.dice.random() < 0.1:
            return "page"
        return f"slow/{self.dice.randrange(100, 500)}"

    def _busy(self) -> list[str]:
        running = Task.objects.filter(state=State.RUNNING).values("lease")
        names = Lease.objects.open().filter(pk__in=running).values_list("node__name", flat=True)
        return sorted(set(names))


def _can_write() -> bool:
    import sqlite3
    from contextlib import closing

    name = connection.settings_dict["NAME"]
    with closing(sqlite3.connect(name, timeout=0.05, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        other.execute("ROLLBACK")
    return True
