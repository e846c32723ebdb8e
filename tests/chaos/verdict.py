"""The verdict: what three ledgers, laid side by side, say of a run. Pure.

The names are those of RabbitMQ's Jepsen tests. The table of moves is DESIGN's contract C2, written
down a second time on purpose: it must not be learnt from the code that it judges.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from tests.chaos.trace import Change

WAITING, INQUEUE, RUNNING, RUNTIME_ERROR, SUCCEED, KILLED = range(6)
AT_END = {RUNTIME_ERROR, SUCCEED, KILLED}

#: What may happen to the lease in a move.
TAKEN, KEPT, LEFT, NONE = "taken", "kept", "left", "none"
MOVES: dict[tuple[int | None, int | None], tuple[str, ...]] = {
    (None, WAITING): (NONE,),  # submit
    (WAITING, INQUEUE): (TAKEN,),  # lease
    (INQUEUE, RUNNING): (KEPT,),  # start
    (RUNNING, SUCCEED): (KEPT,),
    (RUNNING, RUNTIME_ERROR): (KEPT,),  # fail, or poison
    (RUNNING, WAITING): (LEFT,),  # retry later, rescue or release
    (INQUEUE, WAITING): (LEFT,),  # rescue or release
    (WAITING, KILLED): (NONE,),
    (INQUEUE, KILLED): (KEPT,),
    (RUNNING, KILLED): (KEPT,),
    # Only when a person asked for it:
    (KILLED, WAITING): (LEFT, NONE),
    (RUNTIME_ERROR, WAITING): (LEFT,),
    (SUCCEED, WAITING): (LEFT,),
}
#: The most losses before a task is given up as poison.
LOSSES = 3
#: The errors of attempts that brought no result home.
WITHOUT_RESULT = ("lost", "killed")


class Fate(Enum):
    """What must become of a task: its state and its error."""

    SUCCEED = (SUCCEED, "")
    POISON = (RUNTIME_ERROR, "poison")
    KILLED = (KILLED, "killed")


@dataclass(frozen=True, slots=True)
class Found:
    """A task as the database has it at the end; `kept` is its body's SHA-256.

    It is not `answered` when its submission broke off and was made again.
    """

    id: int
    url: str
    state: int
    error: str
    kept: str | None
    answered: bool = True


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt as the database has it."""

    task: int
    number: int
    lease: int
    error: str


@dataclass(slots=True)
class Verdict:
    """How many tasks went which way; `notes` holds the first examples of each wrong."""

    ok: int = 0
    lost: int = 0
    duplicated_results: int = 0
    duplicated_executions: int = 0
    illegal_moves: int = 0
    unexpected: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing went wrong. A page that was fetched twice did not."""
        return not (self.lost or self.duplicated_results or self.illegal_moves or self.unexpected)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def count(self, what: str, why: str) -> None:
        number = getattr(self, what) + 1
        setattr(self, what, number)
        if number <= 5:
            self.notes.append(f"{what}: {why}")


@dataclass(frozen=True, slots=True)
class Ledgers:
    """What was handed in, what the database says, and what the site was asked for.

    `bodies` is the SHA-256 of each URL's page.
    """

    acknowledged: Mapping[str, Fate]
    tasks: Sequence[Found]
    tries: Sequence[Try]
    changes: Sequence[Change]
    gets: Mapping[str, int]
    bodies: Mapping[str, str]
    #: How often a person let each task at its end wait again.
    retried: Mapping[int, int] = field(default_factory=dict)


def judge(ledgers: Ledgers) -> Verdict:
    """Lay the ledgers side by side."""
    verdict = Verdict()
    _judge_tasks(ledgers, verdict)
    _judge_gets(ledgers, verdict)
    _judge_tries(ledgers, verdict)
    _judge_moves(ledgers, verdict)
    return verdict


def _judge_tasks(ledgers: Ledgers, verdict: Verdict) -> None:
    found: dict[str, list[Found]] = defaultdict(list)
    for task in ledgers.tasks:
        if task.answered:
            found[task.url].append(task)
        elif task.state not in AT_END:
            verdict.count("unexpected", f"task {task.id} was never answered, and is left")
    for url, fate in ledgers.acknowledged.items():
        tasks = found.pop(url, [])
        if not tasks:
            verdict.count("lost", f"{url} has no task")
        for task in tasks[:1]:
            _judge_task(task, fate, ledgers, verdict)
        for task in tasks[1:]:
            verdict.count("unexpected", f"task {task.id} is a second one for {url}")
    for url in found:
        verdict.count("unexpected", f"nobody handed {url} in")


def _judge_task(task: Found, fate: Fate, ledgers: Ledgers, verdict: Verdict) -> None:
    if task.state not in AT_END:
        verdict.count("lost", f"task {task.id} ({task.url}) is left in state {task.state}")
    elif (task.state, task.error) != fate.value:
        verdict.count("unexpected", f"{task.url} ended as {task.state} {task.error!r}, not {fate}")
    elif fate is Fate.SUCCEED and task.kept != ledgers.bodies.get(task.url):
        verdict.count("lost", f"{task.url} succeeded, but what is kept is not its page")
    elif fate is not Fate.KILLED and not ledgers.gets.get(task.url):
        verdict.count("unexpected", f"{task.url} ended without having been fetched")
    else:
        verdict.ok += 1


def _judge_gets(ledgers: Ledgers, verdict: Verdict) -> None:
    urls = {task.id: task.url for task in ledgers.tasks}
    results = Counter(urls.get(t.task) for t in ledgers.tries if t.error not in WITHOUT_RESULT)
    for url, number in ledgers.gets.items():
        if url not in ledgers.acknowledged:
            verdict.count("unexpected", f"{url} was fetched, but nobody handed it in")
            continue
        due = LOSSES if ledgers.acknowledged[url] is Fate.POISON else max(1, results[url])
        verdict.duplicated_executions += max(0, number - due)


def _judge_tries(ledgers: Ledgers, verdict: Verdict) -> None:
    for (task, number), times in Counter((t.task, t.number) for t in ledgers.tries).items():
        if times > 1:
            verdict.count("duplicated_results", f"attempt {number} of task {task}: {times} rows")
    under = Counter((t.task, t.lease) for t in ledgers.tries if t.error not in WITHOUT_RESULT)
    for (task, lease), times in under.items():
        if times > 1:
            verdict.count("duplicated_results", f"task {task} under lease {lease}: {times} results")
    for task, times in Counter(t.task for t in ledgers.tries if not t.error).items():
        if times > 1:
            verdict.count("duplicated_results", f"task {task} succeeded {times} times")
    _judge_fence(ledgers, verdict)


def _judge_fence(ledgers: Ledgers, verdict: Verdict) -> None:
    """An attempt is of the lease under which its task stopped running, and each has its own."""
    told = Counter((t.task, t.lease) for t in ledgers.tries)
    ended = Counter((c.task, c.old_lease or 0) for c in ledgers.changes if c.old == RUNNING)
    for (task, lease), attempts in (told - ended).items():
        verdict.count("illegal_moves", f"task {task}: {attempts} attempts too many of {lease=}")
    for change in ledgers.changes:
        if change.new == SUCCEED and not told[change.task, change.old_lease or 0]:
            told_by = f"task {change.task} succeeded under lease {change.old_lease}"
            verdict.count("illegal_moves", f"{told_by}, which brought no result")


def _judge_moves(ledgers: Ledgers, verdict: Verdict) -> None:
    state: dict[int, int | None] = {}
    asked = Counter(ledgers.retried)
    for change in ledgers.changes:
        told = f"task {change.task} from {change.old} to {change.new}"
        leases = f"lease {change.old_lease} to {change.new_lease}"
        if change.old != state.get(change.task):
            verdict.count("illegal_moves", f"{told}, but it was {state.get(change.task)}")
        if _lease_in(change) not in MOVES.get((change.old, change.new), ()):
            verdict.count("illegal_moves", f"{told}, {leases}")
        if change.old in AT_END and change.new == WAITING:
            asked[change.task] -= 1
            if asked[change.task] < 0:
                verdict.count("illegal_moves", f"{told}, and nobody had asked for it")
        state[change.task] = change.new


def _lease_in(change: Change) -> str:
    if change.old_lease == change.new_lease:
        return KEPT if change.new_lease else NONE
    if change.old_lease and change.new_lease:
        return "changed"
    return TAKEN if change.new_lease else LEFT
