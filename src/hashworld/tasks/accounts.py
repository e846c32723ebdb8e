"""What follows from a move of tasks: their leases, hosts, queues and jobs are kept in step.

Only `hashworld.tasks.moves` calls this, in the transaction of the move.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from hashworld.tasks import frontier, rows
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


def settle(
    verb: Verb,
    moved: Sequence[Moved],
    now: datetime,
    guards: Mapping[int, str] | None = None,
    dues: Mapping[frontier.Pair, datetime] | None = None,
) -> None:
    """Keep everything in step with tasks that made a move.

    `guards` are conditions in SQL on jobs' rows, by id; raises Overtaken when one does not hold.
    `dues` says of tasks that wait from now on when the first of each queue is due. The queues of
    tasks that are leased are kept by the caller, who has locked them; of those that come back it
    lowers the leases.
    """
    if not moved:
        return
    target = MOVES[verb].target
    came_back = [task for task in moved if task.state in OUT and target not in OUT]
    _free_hosts(Counter(task.host_id for task in came_back), now)
    _keep_queues(verb, moved, dues or {})
    count(target, [(task.job_id, task.state) for task in moved], now, guards)


def _keep_queues(
    verb: Verb, moved: Sequence[Moved], dues: Mapping[frontier.Pair, datetime]
) -> None:
    hosts = {task.host_id for task in moved}
    if verb is Verb.LEASE:
        return
    if any(task.state == State.WAITING for task in moved):
        frontier.refresh(hosts)
    else:
        frontier.arrive(dues)
        frontier.derive(hosts - {host_id for host_id, _ in dues})


def lower(moved: Iterable[Moved], now: datetime, others: Iterable[int] = ()) -> None:
    """Take tasks that came back or ended off their leases; close these, and others, if empty.

    Last of all in the transaction: renewals wait for these rows, and must not wait for long.
    """
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
    rows.update(Job, job_ids, [rows.put("finished_at", rows.stamp(now))], guard=nothing_left)


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


def count(
    target: State,
    moved: Iterable[tuple[int, int]],
    now: datetime,
    guards: Mapping[int, str] | None = None,
) -> None:
    """Keep the jobs' counters for tasks given as (job id, former state).

    Late in the transaction, for the jobs' rows are the busiest.
    """
    by_job: dict[int, Counter[int]] = {}
    for (job_id, state), number in Counter(moved).items():
        by_job.setdefault(job_id, Counter())[state] = number
    for job_id, sources in sorted(by_job.items()):
        changes = [rows.more(COUNTERS[State(state)], -n) for state, n in sources.items()]
        changes.append(rows.more(COUNTERS[target], sources.total()))
        guard = (guards or {}).get(job_id, "")
        if not rows.update(Job, [job_id], changes, guard) and guard:
            raise Overtaken(f"job {job_id} was paused, resumed or killed meanwhile")
    if target in TERMINAL:
        finish_jobs(by_job, now)
    elif target == State.WAITING:
        again = "finished_at IS NOT NULL"
        rows.update(Job, by_job, [rows.put("finished_at", None)], guard=again)
