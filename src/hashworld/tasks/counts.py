"""What is counted: ended tries, refused results, bodies kept and freed, by the minute.

One statement adds everything that a transaction has to count. Minutes are by node; the hours, the
cluster's, are derived from them (`hashworld.tasks.rollup`).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db.models import Max, QuerySet, Sum

from hashworld.tasks import latency, rows
from hashworld.tasks.models import Hour, Minute

SUCCEEDED = "succeeded"
#: Tries that a person ended; every other kind of try but SUCCEEDED is an error's name.
KILLED = "killed"
#: Results that came after their lease was over and were refused (contract C3).
FENCED = "fenced"
#: Bodies newly kept, and bodies that nothing names any more; their bytes are as stored.
KEPT = "kept"
FREED = "freed"
#: A mark that an hour has been rolled up.
ROLLED = "rolled"
#: What is counted and is not a try.
OTHERS = frozenset({FENCED, KEPT, FREED, ROLLED})
#: The columns that are added up.
SUMS = ("number", "bytes", "milliseconds", *latency.COLUMNS)
HOUR = timedelta(hours=1)
#: The hour under which the sums of all hours that were dropped stand.
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
#: So many of the last hours are derived again: a slow flush may still write to their minutes.
UNSETTLED = HOUR


class Count(NamedTuple):
    """Something to count; `seconds` is how long a try took."""

    node_id: int
    kind: str
    number: int = 1
    bytes: int = 0
    seconds: float | None = None


def add(now: datetime, counts: Iterable[Count]) -> None:
    """Add to the minute of `now`, in one statement."""
    sums: dict[tuple[int, str], list[int]] = {}
    for count in counts:
        row = sums.setdefault((count.node_id, count.kind), [0] * len(SUMS))
        row[0] += count.number
        row[1] += count.bytes
        if count.seconds is not None:
            milliseconds = max(0, round(count.seconds * 1000))
            row[2] += milliseconds
            row[3 + latency.bucket(milliseconds)] += 1
    minute = rows.stamp(now.replace(second=0, microsecond=0))
    rows.upsert(
        Minute,
        ("minute", "node_id", "kind"),
        SUMS,
        [(minute, *key, *row) for key, row in sorted(sums.items())],
    )


def failed(kind: str) -> bool:
    """Whether a try that ended so has failed."""
    return kind not in OTHERS and kind not in (SUCCEEDED, KILLED)


def hour_of(moment: datetime) -> datetime:
    """The beginning of its hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def settled() -> datetime | None:
    """Hours before this are final, those from it on may be told by their minutes alone."""
    last: datetime | None = Hour.objects.aggregate(last=Max("hour"))["last"]
    return max(last - UNSETTLED, BEGINNING + HOUR) if last else None


def since(moment: datetime) -> dict[str, Mapping[str, int]]:
    """The sums of each kind over the minutes from `moment` on."""
    return _sums(Minute.objects.filter(minute__gte=moment))


def totals() -> dict[str, dict[str, int]]:
    """The sums of each kind since the beginning; they never fall."""
    border = settled()
    hours = _sums(Hour.objects.filter(hour__lt=border)) if border else {}
    minutes = _sums(Minute.objects.filter(minute__gte=border) if border else Minute.objects.all())
    return {
        kind: {
            name: sum(part[kind][name] for part in (hours, minutes) if kind in part)
            for name in SUMS
        }
        for kind in sorted({*hours, *minutes})
    }


def kept_bytes() -> int:
    """The bytes of all bodies that are kept, as stored."""
    sums = totals()
    kept, freed = (sums[kind]["bytes"] if kind in sums else 0 for kind in (KEPT, FREED))
    return kept - freed


def _sums(found: QuerySet[Minute] | QuerySet[Hour]) -> dict[str, Mapping[str, int]]:
    by_kind = found.values_list("kind").order_by("kind").annotate(*map(Sum, SUMS))
    return {kind: dict(zip(SUMS, map(int, sums), strict=True)) for kind, *sums in by_kind}
