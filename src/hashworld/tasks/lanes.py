"""The lanes in which tasks wait on a host: by priority, and for each owner of jobs. Pure.

Higher ranks are served first; in a rank the owners take turns, so that a small job does not wait
for another owner's large one.
"""

from collections import Counter
from collections.abc import Collection, Iterable

#: The lane of tasks that were out when their node was lost; they are given out with care.
SUSPECT = 3
_RANKS = 4
#: Owners are told apart up to this number; a lane is a small integer.
_OWNERS = 8000


def lane_of(priority: int, owner_id: int | None) -> int:
    """The lane of an owner's tasks of this priority."""
    return (owner_id or 0) % _OWNERS * _RANKS + priority


def rank(lane: int) -> int:
    """Which lanes are served first: suspects, then by priority."""
    return lane % _RANKS


def in_order(lanes: Iterable[int]) -> list[int]:
    """Lanes in the order in which they are served."""
    return sorted(set(lanes), key=lambda lane: (-rank(lane), lane))


def shares(lanes: Collection[int], room: int) -> dict[int, int]:
    """How much of the room each lane has when those of its rank share it evenly."""
    sizes = Counter(map(rank, lanes))
    return {lane: -(-room // sizes[rank(lane)]) for lane in lanes}
