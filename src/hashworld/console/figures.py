"""The numbers of the dashboard; each is read by index and from few rows, however many tasks."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet, Sum

from hashworld.console import progress
from hashworld.console.progress import Progress
from hashworld.nodes.models import LANDS, Node, NodeState, Standing
from hashworld.tasks import counts, frontier, latency
from hashworld.tasks.models import Job, JobQuerySet, Lease, Minute, Task
from hashworld.tasks.states import State

MINUTES = 60
#: A node that was not heard of for so long is shown in the list of nodes alone.
GONE = timedelta(days=1)
#: So many rows of jobs and of failures are shown.
ROWS = 8
NODES = 60


@dataclass(frozen=True, slots=True)
class Backlog:
    """The tasks of unfinished jobs that are not at their end.

    `oldest` is for how many seconds work has waited that could be given out, at most.
    """

    waiting: int
    inqueue: int
    running: int
    oldest: float


@dataclass(frozen=True, slots=True)
class Day:
    """What was finished since midnight, UTC; `received` in bytes."""

    succeeded: int
    failed: int
    received: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute of the chart; the heights are percent of its tallest minute."""

    minute: datetime
    succeeded: int
    failed: int
    height: float
    failed_height: float
    current: bool


@dataclass(frozen=True, slots=True)
class Hour:
    """The last hour by the minute; `rate` is pages a second over the last whole minute.

    `median` and `slow` are the seconds in which half and 95 % of what succeeded were fetched.
    """

    bars: list[Bar]
    tallest: int
    rate: float
    total: int
    median: float | None
    slow: float | None


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node as the strip shows it; `share` is percent of what it may have in flight."""

    node: Node
    lands: int
    lands_share: float
    standing: Standing
    share: float


def backlog(now: datetime) -> Backlog:
    """Sums of the unfinished jobs' counters."""
    names = ("waiting", "inqueue", "running")
    sums = Job.objects.running().aggregate(*map(Sum, names))
    holders = Lease.objects.open().values_list("node_id", flat=True).distinct().order_by()
    since = frontier.waiting_since(holders, now)
    oldest = (now - since).total_seconds() if since else 0.0
    waiting, inqueue, running = (sums[f"{name}__sum"] or 0 for name in names)
    return Backlog(waiting, inqueue, running, oldest)


def day(now: datetime) -> Day:
    """What all nodes have done today."""
    sums = counts.since(now.replace(hour=0, minute=0, second=0, microsecond=0))
    return Day(
        sum(row["number"] for kind, row in sums.items() if kind == counts.SUCCEEDED),
        sum(row["number"] for kind, row in sums.items() if counts.failed(kind)),
        sum(row["bytes"] for kind, row in sums.items() if kind not in counts.OTHERS),
    )


def hour(now: datetime) -> Hour:
    """The last sixty minutes, the current one included, empty ones too."""
    this = now.replace(second=0, microsecond=0)
    minutes = [this - timedelta(minutes=back) for back in range(MINUTES - 1, -1, -1)]
    found = Minute.objects.filter(minute__gte=minutes[0]).values_list("minute", "kind")
    sums = found.order_by("minute").annotate(*map(Sum, ("number", *latency.COLUMNS)))
    good, bad = dict.fromkeys(minutes, 0), dict.fromkeys(minutes, 0)
    buckets = [0] * len(latency.COLUMNS)
    for minute, kind, number, *times in sums:
        if kind == counts.SUCCEEDED:
            good[minute] = good.get(minute, 0) + number
            buckets = [one + other for one, other in zip(buckets, times, strict=True)]
        elif counts.failed(kind):
            bad[minute] = bad.get(minute, 0) + number
    return _hour([(minute, good[minute], bad[minute]) for minute in minutes], buckets)


def _hour(numbers: list[tuple[datetime, int, int]], buckets: list[int]) -> Hour:
    tallest = max(good + bad for _, good, bad in numbers)
    scale = 100 / tallest if tallest else 0
    this = numbers[-1][0]
    bars = [
        Bar(minute, good, bad, (good + bad) * scale, bad * scale, minute == this)
        for minute, good, bad in numbers
    ]
    rate = sum(numbers[-2][1:]) / 60
    median, slow = (latency.quantile(buckets, share) for share in (0.5, 0.95))
    return Hour(
        bars,
        tallest,
        rate,
        sum(good + bad for _, good, bad in numbers),
        median / 1000 if median is not None else None,
        slow / 1000 if slow is not None else None,
    )


def nodes(now: datetime) -> list[NodeRow]:
    """The nodes heard of today that have not said goodbye, with what each has in hand."""
    known: QuerySet[Node] = Node.objects.filter(seen_at__gt=now - GONE)
    found = known.exclude(state=NodeState.LEFT)
    shown = found.annotate(owned=Count("lands")).order_by("name")[:NODES]
    return [
        NodeRow(
            node,
            node.owned,
            100 * node.owned / LANDS,
            node.standing(now),
            min(100 * node.in_flight / max(node.max_tasks, 1), 100),
        )
        for node in shown
    ]


def running_jobs(seen: JobQuerySet, now: datetime) -> list[Progress]:
    """The newest jobs that have something to do, of those that may be seen."""
    jobs = seen.running().select_related("owner")[:ROWS]
    return [progress.of(job, now) for job in jobs]


def finished_jobs(seen: JobQuerySet, now: datetime) -> list[Progress]:
    """The newest jobs that have nothing left to do, of those that may be seen."""
    jobs = seen.filter(finished_at__isnull=False).order_by("-finished_at")[:ROWS]
    return [progress.of(job, now) for job in jobs]


def failures() -> list[Task]:
    """Failed tasks of the newest jobs."""
    failed = Task.objects.in_state(State.RUNTIME_ERROR)
    return list(failed.order_by("-job_id", "-id")[:ROWS])
