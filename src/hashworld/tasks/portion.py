"""How much a node may hold, and how due tasks are cut into leases. Pure.

Suspects (tasks that were running when their node was lost) are given out with care, so that the
one that takes its process down is found and its neighbours are not blamed for it: after the
first loss in small sets, one set on a node at a time; after the second alone on a node that holds
nothing else.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import NamedTuple

from hashworld.tasks.lanes import rank, shares

#: How many tasks a node may hold for each that it may have in flight.
HELD_PER_TASK = 2
#: A node that has not started so many leases yet is given none: it starts two at a time.
STARTS = 2
#: Less room than this part of what a node may have in flight is a scrap.
SCRAP = 2
#: How many tasks that were lost once a node may hold; places are refilled when so many are free.
SUSPECTS = 32
REFILLED = SUSPECTS // 4
#: Losses after which a task runs alone.
ALONE = 2


@dataclass(frozen=True, slots=True)
class Load:
    """What a node holds: tasks out, suspects among them, and whether one suspect has it alone.

    `unstarted` are the leases that it has yet to start, each within its time.
    """

    max_tasks: int
    out: int
    suspects: int = 0
    alone: bool = False
    unstarted: int = 0

    @property
    def room(self) -> int:
        """How many more tasks it may be given."""
        return 0 if self.alone else max(0, HELD_PER_TASK * self.max_tasks - self.out)

    @property
    def places(self) -> int:
        """How many more suspects it may be given: one that hangs keeps no other from its turn."""
        free = SUSPECTS - self.suspects
        return free if free >= REFILLED else 0

    @property
    def keeps_up(self) -> bool:
        """Whether it has started what it was given, or is about to."""
        return self.unstarted < STARTS

    @property
    def fullness(self) -> float:
        """What it holds, as a part of what it may hold."""
        return self.out / (HELD_PER_TASK * self.max_tasks)

    @property
    def half_empty(self) -> bool:
        """Whether it holds no more than it may have in flight, half of what it may hold."""
        return self.room >= self.max_tasks

    @property
    def worth_a_lease(self) -> bool:
        """Whether the room is more than a scrap: a lease costs much the same whatever its size."""
        return SCRAP * self.room >= self.max_tasks


class Due(NamedTuple):
    """A task that may be given out."""

    task_id: int
    host_id: int
    lane: int
    losses: int
    job_id: int


@dataclass(frozen=True, slots=True)
class Portion:
    """The tasks of one lease to be made, and the most losses of any of them."""

    tasks: list[Due]
    suspicion: int = 0

    @property
    def task_ids(self) -> list[int]:
        """Their ids."""
        return [task.task_id for task in self.tasks]


def share(
    queues: Sequence[tuple[int, int]], allowed: Mapping[int, int], room: int
) -> dict[tuple[int, int], int]:
    """How many tasks to look for in each (host id, lane): twice a fair share of its lane's."""
    lanes = Counter(lane for _, lane in queues)
    parts = shares(lanes, 2 * room)
    wanted = {
        (host_id, lane): min(allowed[host_id], -(-parts[lane] // lanes[lane]))
        for host_id, lane in queues
    }
    return {queue: number for queue, number in wanted.items() if number > 0}


def portions(
    due: Iterable[Due],
    load: Load,
    allowed: Mapping[int, int],
    *,
    calmest: bool,
    held: Collection[int],
    room: int,
    lease_size: int,
) -> list[Portion]:
    """Cut due tasks, in the order of service, into the leases that the node may have.

    `allowed` is how many tasks of each host may still go out, `room` how many in all; `held` are
    the hosts that only this node may serve; `calmest` says that it is the node to empty for a
    suspect of any other host.
    """
    tasks = list(due)
    once = [task for task in tasks if 0 < task.losses < ALONE]
    twice = [task for task in tasks if task.losses >= ALONE]
    if twice and not once and not load.suspects and (calmest or twice[0].host_id in held):
        # The node is left to empty itself first; then the suspect has it alone.
        return [] if load.out else [Portion([twice[0]], ALONE)]
    budget = Counter(allowed)
    suspects = _afford(once, budget, min(load.places, room))
    fresh = [task for task in tasks if not task.losses]
    rest = _afford(_in_turns(fresh), budget, room - len(suspects))
    leases = [Portion(suspects, 1)] if suspects else []
    even = -(-len(rest) // max(1, -(-len(rest) // lease_size)))
    return leases + [Portion(rest[i : i + even]) for i in range(0, len(rest), max(1, even))]


def _afford(tasks: Iterable[Due], budget: Counter[int], room: int) -> list[Due]:
    """The first tasks for which there is room, in all and on their host; takes from `budget`."""
    taken: list[Due] = []
    for task in tasks:
        if len(taken) >= room:
            break
        if budget[task.host_id] > 0:
            budget[task.host_id] -= 1
            taken.append(task)
    return taken


def _in_turns(tasks: Sequence[Due]) -> Iterator[Due]:
    """Rank after rank; in each one task of each lane in turn, and in a lane one of each host."""
    for _, equals in groupby(tasks, key=lambda task: rank(task.lane)):
        lanes: dict[int, dict[int, list[Due]]] = {}
        for task in equals:
            lanes.setdefault(task.lane, {}).setdefault(task.host_id, []).append(task)
        yield from _round(_round(hosts.values()) for hosts in lanes.values())


def _round(streams: Iterable[Iterable[Due]]) -> Iterator[Due]:
    """One of each stream in turn."""
    for turn in zip_longest(*streams):
        yield from (task for task in turn if task is not None)
