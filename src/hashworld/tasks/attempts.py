"""The record of tries: what the finishing of a fetch produces, and its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hashworld.tasks import counts, rows
from hashworld.tasks.accounts import Moved
from hashworld.tasks.counts import Count
from hashworld.tasks.models import Attempt
from hashworld.tasks.states import Verb

_NO_TIMINGS = (None,) * 5


@dataclass(slots=True)
class Ended:
    """One ended try, decided and ready to be recorded. Durations in seconds, sizes in bytes."""

    task: Moved
    node_id: int
    verb: Verb
    seconds: float
    delay: float = 0.0
    status: int | None = None
    error: str = ""
    detail: str = ""
    final_url: str = ""
    redirects: str = ""
    headers: str = ""
    ip: str = ""
    received: int = 0
    sha256: str = ""
    size: int = 0
    compressed: bytes = b""
    content_id: int | None = None
    content_type: str = ""
    charset: str = ""
    title: str = ""
    #: DNS, connect, TLS, first byte and total, in milliseconds
    timings: tuple[float | None, ...] = _NO_TIMINGS

    @property
    def task_id(self) -> int:
        """The task's id."""
        return self.task.id

    @property
    def lease_id(self) -> int:
        """The lease that it ran under."""
        return self.task.lease_id or 0

    @property
    def pair(self) -> tuple[int, int]:
        """The lease's id and the task's: what the fence goes by."""
        return self.lease_id, self.task_id


_COLUMNS = (
    "task_id number lease_id node_id started_at finished_at status error detail final_url"
    " redirects headers ip content_id received content_type charset title"
    " dns_ms connect_ms tls_ms first_byte_ms total_ms"
).split()


def record(ended: Sequence[Ended], now: datetime) -> None:
    """Write the attempts. A second row for one try cannot exist."""
    finished, naive = rows.stamp(now), now.replace(tzinfo=None)
    rows.insert(
        Attempt,
        _COLUMNS,
        [
            (
                end.task.id,
                end.task.attempts + 1,
                end.task.lease_id,
                end.node_id,
                # What rows.stamp gives, at a tenth of its price: this is once for each page.
                (naive - timedelta(seconds=end.seconds)).isoformat(" ", "microseconds"),
                finished,
                end.status,
                end.error,
                end.detail,
                end.final_url,
                end.redirects,
                end.headers,
                end.ip,
                end.content_id,
                end.received,
                end.content_type,
                end.charset,
                end.title,
                *end.timings,
            )
            for end in ended
        ],
    )


def lost(
    tasks: Sequence[Moved], nodes: Mapping[int, int], now: datetime, error: str = "lost"
) -> None:
    """Write and count the attempts of running tasks that a kill or their node's loss has ended."""
    stamp = rows.stamp(now)
    texts = "detail final_url redirects headers ip content_type charset title".split()
    ended = [(task, nodes[task.lease_id]) for task in tasks if task.lease_id is not None]
    rows.insert(
        Attempt,
        (*_COLUMNS[:6], "error", "received", *texts),
        [
            (
                task.id,
                task.attempts + 1,
                task.lease_id,
                node_id,
                stamp,
                stamp,
                error,
                0,
                *[""] * len(texts),
            )
            for task, node_id in ended
        ],
    )
    counts.add(now, (Count(node_id, error) for _, node_id in ended))


def traces(ended: Sequence[Ended]) -> list[rows.Assignment]:
    """What ended tries leave in their tasks' rows."""
    if not ended:
        return []
    return [
        ("attempts = attempts + 1", []),
        rows.case("status", {end.task_id: end.status for end in ended}),
        rows.case("error", {end.task_id: end.error for end in ended}),
        rows.case("content_id", {end.task_id: end.content_id for end in ended}),
    ]
