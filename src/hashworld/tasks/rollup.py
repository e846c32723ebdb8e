"""Hours from minutes, and the end of what is too old to be drawn.

An hour is derived from its minutes as a whole, never added to, so that a round may be broken off,
made twice or by two at the same time. What is dropped is part of the totals for ever.
"""

from datetime import datetime, timedelta

from django.db.models import Min, Sum

from hashworld.nodes import clock
from hashworld.tasks import counts, rows
from hashworld.tasks.counts import BEGINNING, ROLLED, SUMS
from hashworld.tasks.models import Hour, Minute
from hashworld.transaction import retried

KEEP_MINUTES = timedelta(days=2)
KEEP_HOURS = timedelta(days=90)
CHUNK = 1000


def roll_up() -> int:
    """Derive the hours that are not final yet, then drop what is old; the number of hours."""
    now = clock.now()
    number, hour = 0, counts.hour_of(_first(counts.settled()) or now)
    while hour <= now:
        _derive(hour)
        hour, number = hour + counts.HOUR, number + 1
    while _drop_minutes(counts.hour_of(now - KEEP_MINUTES)):
        pass
    while _fold_hours(counts.hour_of(now - KEEP_HOURS)):
        pass
    return number


def _first(settled: datetime | None) -> datetime | None:
    """The first minute whose hour is not final."""
    open_ones = Minute.objects.filter(minute__gte=settled) if settled else Minute.objects.all()
    first: datetime | None = open_ones.aggregate(first=Min("minute"))["first"]
    return first


def _derive(hour: datetime) -> None:
    minutes = Minute.objects.filter(minute__gte=hour, minute__lt=hour + counts.HOUR)
    sums = minutes.values_list("kind").order_by("kind").annotate(*map(Sum, SUMS))
    # An hour in which nothing happened has been derived too: the next round begins at the last.
    found = [(ROLLED, *[0] * len(SUMS)), *((kind, *map(int, values)) for kind, *values in sums)]
    rows.upsert(
        Hour, ("hour", "kind"), SUMS, [(rows.stamp(hour), *row) for row in found], add=False
    )


@retried
def _drop_minutes(before: datetime) -> int:
    """Drop minutes whose hours are final; the number, at most CHUNK."""
    final = counts.settled()
    if final is None:
        return 0
    old = Minute.objects.filter(minute__lt=min(before, final)).values_list("pk", flat=True)[:CHUNK]
    return Minute.objects.filter(pk__in=list(old)).delete()[0]


@retried
def _fold_hours(before: datetime) -> int:
    """Add old hours to the sums of the beginning and drop them; the number, at most CHUNK."""
    old = Hour.objects.filter(hour__gt=BEGINNING, hour__lt=before).order_by("pk")
    found = list(old.select_for_update().values_list("pk", "kind", *SUMS)[:CHUNK])
    sums: dict[str, list[int]] = {}
    for _, kind, *values in found:
        kept = sums.get(kind, [0] * len(SUMS))
        sums[kind] = [one + other for one, other in zip(kept, values, strict=True)]
    beginning = rows.stamp(BEGINNING)
    rows.upsert(Hour, ("hour", "kind"), SUMS, [(beginning, k, *v) for k, v in sums.items()])
    return Hour.objects.filter(pk__in=[pk for pk, *_ in found]).delete()[0]
