"""Which faults strike in which round, and whom: all of it follows from the seed. Pure."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from tests.chaos.nemesis.scene import Scene, Wait

T = TypeVar("T")

#: What a fault is while it goes on.
Steps = Generator["Wait", None, None]
#: How many nodes fall silent in one round, at most; one is always left.
MOST_SILENT = 3


class Company(Enum):
    """With what else a fault may go together."""

    RESCUE = "node falls silent, and a master lives who sees to its rescue"
    NODE = "one node is disturbed"
    LEADER = "the master falls silent"
    PEOPLE = "somebody uses the console"
    WHOLE = "everybody is concerned"


class Strike(Protocol):
    """A fault: who begins it gives it the name of a node, and dice of its own."""

    __name__: str

    def __call__(self, scene: "Scene", name: str, dice: Random) -> Steps: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault, and how often it strikes in a full run."""

    strike: Strike
    company: Company
    share: int

    @property
    def name(self) -> str:
        return self.strike.__name__


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault that will strike."""

    kind: Kind
    node: str
    seed: str


Round = tuple[Planned, ...]


def plan(seed: int, kinds: Sequence[Kind], faults: int, nodes: Sequence[str]) -> list[Round]:
    """At least `faults` faults, each kind once or more and else by its share, in rounds."""
    dice = Random(seed)
    struck = {company: _drawn(dice, kinds, company, faults) for company in Company}
    rounds = [
        *_grouped(dice, struck[Company.RESCUE], min(MOST_SILENT, len(nodes) - 1)),
        *([kind] for kind in struck[Company.WHOLE]),
        *_led(dice, struck[Company.LEADER], struck[Company.NODE], len(nodes) // 2),
    ]
    dice.shuffle(rounds)
    if not rounds:
        rounds = [[]]
    busy = [each for each in rounds if each and each[0].company is Company.RESCUE] or rounds
    for kind in struck[Company.PEOPLE]:
        dice.choice(busy).append(kind)
    return [_cast(dice, f"{seed} {number}", each, nodes) for number, each in enumerate(rounds)]


def _drawn(dice: Random, kinds: Sequence[Kind], company: Company, faults: int) -> list[Kind]:
    whole = sum(kind.share for kind in kinds)
    drawn = [
        kind
        for kind in kinds
        if kind.company is company
        for _ in range(max(1, -(-kind.share * faults // whole)))
    ]
    dice.shuffle(drawn)
    return drawn


def _grouped(dice: Random, kinds: Sequence[Kind], most: int) -> list[list[Kind]]:
    """In groups of up to `most`, and at least of one less."""
    groups, rest = [], list(kinds)
    while rest:
        size = dice.randint(max(1, most - 1), most)
        groups.append([rest.pop() for _ in range(min(size, len(rest)))])
    return groups


def _led(
    dice: Random, leaders: Sequence[Kind], others: Sequence[Kind], most: int
) -> list[list[Kind]]:
    """Each fault of the master in a round of its own, with faults of nodes while there are any."""
    rest = list(others)
    rounds = [[kind, *(rest.pop() for _ in range(min(most, len(rest))))] for kind in leaders]
    return [*rounds, *_grouped(dice, rest, most)]


def _cast(dice: Random, seed: str, kinds: Sequence[Kind], nodes: Sequence[str]) -> Round:
    """Give every fault of a round a node of its own, as far as there are enough."""
    names = dice.sample(nodes, len(nodes))
    return tuple(
        Planned(kind, names[number % len(names)], f"{seed} {number}")
        for number, kind in enumerate(kinds)
    )


def in_turn(each: Sequence[T], dice: Random) -> Iterator[T]:
    """All of them in a shuffled order, and then in another one, without end."""
    while True:
        yield from dice.sample(each, len(each))


def counted(rounds: Sequence[Round]) -> Mapping[str, int]:
    """How often each kind strikes."""
    counts: dict[str, int] = {}
    for each in rounds:
        for planned in each:
            counts[planned.kind.name] = counts.get(planned.kind.name, 0) + 1
    return counts
