"""What follows from a move of tasks: their leases, hosts, queues and jobs are kept in step.

Only `hashworld.tasks.moves` calls this, in the transaction of the move.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from hashworld.tasks import events, frontier, rows
from hashworld.tasks.models import COUNTERS, Host, Job, Lease
from hashworld.tasks.states import MOVES, OUT, TERMINAL, State, Verb
from hashworld.transaction import Overtaken

#: Among leases that are chosen by id, those that are open. Put so that no index serves it: by the
#: index of what is open, MySQL would wait for whoever has locked any other open lease. A start
#: asks for what has something left, which no index serves either.
OPEN = "(closed_at IS NULL) = 1"


class Moved(NamedTuple):
    """A task as it was when a move took it."""

    id: int
    job_id: int
    host_id: int
    lease_id: int | None
    state: int
    attempts: int
    losses: int


class Tally(NamedTuple):
    """What a move does to the counters of jobs: its target, and each task's job and former state.

    `guards` are conditions in SQL on jobs' rows, by id.
    """

    target: State
    moved: list[tuple[int, int]]
    guards: Mapping[int, str]


def settle(
    verb: Verb,
    moved: Sequence[Moved],
    now: datetime,
    guards: Mapping[int, str] | None = None,
    dues: Mapping[frontier.Pair, datetime] | None = None,
) -> list[Tally]:
    """Keep hosts and queues in step with tasks that made a move; what is left to `conclude`.

    `dues` says of tasks that wait from now on when the first of each queue is due. A lease does
    all this by itself: it knows its hosts and queues, and has locked them.
    """
    if not moved:
        return []
    target = MOVES[verb].target
    came_back = [task for task in moved if task.state in OUT and target not in OUT]
    _free_hosts(Counter(task.host_id for task in came_back), now)
    _keep_queues(moved, dues or {})
    events.tasks_ended(target, moved, now)
    return [Tally(target, [(task.job_id, task.state) for task in moved], guards or {})]


def _keep_queues(moved: Sequence[Moved], dues: Mapping[frontier.Pair, datetime]) -> None:
    hosts = {task.host_id for task in moved}
    if any(task.state == State.WAITING for task in moved):
        frontier.refresh(hosts)
    else:
        frontier.arrive(dues)
        frontier.derive(hosts - {host_id for host_id, _ in dues})


def conclude(
    tallies: Sequence[Tally],
    now: datetime,
    back: Iterable[Moved] = (),
    others: Iterable[int] = (),
) -> None:
    """Keep the jobs in step, and take tasks that came back or ended off their leases.

    Leases with nothing left are closed, and others too. Call it once, last in the transaction,
    whatever moves it made: all nodes wait for the jobs' rows, and renewals for the leases'; nobody
    may hold them while he waits for a host.
    """
    _count(tallies, now)
    _lower(back, now, others)


def _lower(moved: Iterable[Moved], now: datetime, others: Iterable[int]) -> None:
    amounts = Counter(task.lease_id for task in moved if task.lease_id and task.state in OUT)
    rows.add(Lease, "left", _negative(amounts))
    answered = f"{OPEN} AND `left` = 0"
    closed = [rows.put("closed_at", rows.stamp(now))]
    rows.update(Lease, sorted({*amounts, *others}), closed, guard=answered)


def finish_jobs(job_ids: Iterable[int], now: datetime) -> None:
    """Mark those jobs finished that are sealed and have nothing left to do."""
    nothing_left = (
        "sealed_at IS NOT NULL AND finished_at IS NULL"
        " AND waiting = 0 AND inqueue = 0 AND running = 0"
    )
    ids = list(job_ids)
    if rows.update(Job, ids, [rows.put("finished_at", rows.stamp(now))], guard=nothing_left):
        events.jobs_finished(ids, now)


def _free_hosts(amounts: Counter[int], now: datetime) -> None:
    """Take tasks off their hosts' accounts; a host with nothing left out is let go."""
    if not amounts:
        return
    rows.add(Host, "out", _negative(amounts))
    intervals = rows.select(("out", "id", "min_interval"), Host, "id", sorted(amounts))
    idle = {id_: interval for out, id_, interval in intervals if not out}
    rows.update(Host, idle, [rows.put("holder_id", None)])
    polite = {id_: now + timedelta(seconds=s) for id_, s in idle.items() if s}
    for moment in set(polite.values()):
        hosts = [id_ for id_ in polite if polite[id_] == moment]
        rows.update(Host, hosts, [rows.put("next_at", rows.stamp(moment))])


def _negative(amounts: Mapping[int, int]) -> dict[int, int]:
    return {key: -amount for key, amount in amounts.items()}


def count(target: State, moved: Iterable[tuple[int, int]], now: datetime) -> None:
    """Keep the jobs' counters for tasks given as (job id, former state)."""
    _count([Tally(target, list(moved), {})], now)


def _count(tallies: Sequence[Tally], now: datetime) -> None:
    """All jobs in one statement, which locks them in the order of their ids.

    Raises Overtaken when a guard does not hold.
    """
    changes: dict[State, Counter[int]] = {}
    guards: dict[int, set[str]] = {}
    for target, moved, conditions in tallies:
        # A column for those jobs of which nothing moves, but which have a guard.
        changes.setdefault(target, Counter())
        for (job_id, state), number in Counter(moved).items():
            changes.setdefault(State(state), Counter())[job_id] -= number
            changes[target][job_id] += number
        for job_id, condition in conditions.items():
            guards.setdefault(job_id, set()).add(condition)
    ids = sorted(guards.keys() | {job_id for amounts in changes.values() for job_id in amounts})
    sets = [
        rows.added(COUNTERS[state], {job_id: amounts[job_id] for job_id in ids})
        for state, amounts in changes.items()
        if ids
    ]
    if rows.update(Job, ids, sets, _guard(ids, guards)) < len(ids) and guards:
        raise Overtaken("a job was paused, resumed or killed meanwhile")
    finish_jobs(_jobs(tallies, TERMINAL), now)
    again = "finished_at IS NOT NULL"
    waiting = _jobs(tallies, {State.WAITING})
    rows.update(Job, waiting, [rows.put("finished_at", None)], guard=again)


def _guard(ids: Iterable[int], conditions: Mapping[int, Iterable[str]]) -> str:
    """The condition on jobs' rows that each satisfies its own conditions."""
    alike: dict[str, list[int]] = {}
    for job_id in ids:
        alike.setdefault(" AND ".join(sorted(conditions.get(job_id, ()))), []).append(job_id)
    if len(alike) == 1:
        return next(iter(alike))
    parts = (
        " AND ".join(filter(None, (rows.within("id", jobs)[0], condition)))
        for condition, jobs in alike.items()
    )
    return f"({' OR '.join(f'({part})' for part in parts)})" if alike else ""


def _jobs(tallies: Iterable[Tally], targets: Collection[State]) -> list[int]:
    """The jobs of which tasks came to one of these states."""
    moved = (tally.moved for tally in tallies if tally.target in targets)
    return sorted({job_id for pairs in moved for job_id, _ in pairs})
