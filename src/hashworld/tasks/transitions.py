"""The rows of a move: taken under lock where it is allowed, and written with its new state.

Only `hashworld.tasks.moves` calls this.
"""

from collections.abc import Collection, Iterable, Sequence

from hashworld.tasks import rows
from hashworld.tasks.accounts import Moved
from hashworld.tasks.models import Task
from hashworld.tasks.states import MOVES, TERMINAL, Verb


def take(
    verb: Verb,
    *,
    ids: Sequence[int] | None = None,
    leases: Sequence[int] | None = None,
    fence: Collection[tuple[int, int | None]] | None = None,
) -> list[Moved]:
    """Lock and return the tasks, chosen by id or by lease, that the move may be made for.

    With a `fence` of (task id, lease id) only those that are still under their lease.
    """
    column, keys = ("id", ids) if ids is not None else ("lease_id", leases)
    if not keys:
        return []
    where, values = rows.within(column, keys)
    found = rows.lock(Moved._fields, Task, f"{where} AND {_allowed(verb)}", values)
    moved = [Moved._make(row) for row in found]
    if fence is None:
        return moved
    return [task for task in moved if (task.id, task.lease_id) in fence]


def write(
    verb: Verb, keys: Sequence[int], *sets: rows.Assignment, key: str = "id", guard: str = ""
) -> int:
    """Make the move for those of the tasks, by id or another `key`, that it is allowed for.

    And that satisfy `guard`, a condition in SQL. Returns how many it was made for.
    """
    guards = " AND ".join(filter(None, (_allowed(verb), guard)))
    return rows.update(Task, keys, [*_state(verb), *sets], guards, key=key)


def ids(moved: Iterable[Moved]) -> list[int]:
    """The ids of tasks that were taken."""
    return [task.id for task in moved]


def _state(verb: Verb) -> list[rows.Assignment]:
    """The state after a move, and `ended` where that changes."""
    move = MOVES[verb]
    state = rows.put("state", int(move.target))
    if move.target in TERMINAL:
        return [state, rows.put("ended", int(move.target))]
    return [state, rows.put("ended", None)] if move.sources & TERMINAL else [state]


def _allowed(verb: Verb) -> str:
    return f"state IN ({', '.join(str(int(state)) for state in MOVES[verb].sources)})"
