"""When a schedule fires: its slots, as moments in UTC. Pure.

A slot depends on the schedule alone, never on when anything ran, so that every process finds the
same ones. On the days when a time zone changes its clocks:

* a crontab with fixed hours fires once for each local time. One that does not exist (02:30 where
  the clocks jump from 02:00 to 03:00) is moved on by the length of the jump; of one that comes
  twice, the first counts;
* a crontab of every hour follows the time that passes: it neither fires twice for an hour that is
  missing nor pauses in one that is repeated.

An interval counts time that passes, from its anchor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from typing import Protocol
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: The 29th of February falls on a given weekday every 28 years, or 40 about the year 2100.
YEARS_AHEAD = 41
ALL_HOURS = frozenset(range(24))


class Schedule(Protocol):
    """What has slots."""

    def next(self, after: datetime) -> datetime | None:
        """The first slot strictly later than a moment; None when there is none any more."""


@dataclass(frozen=True, slots=True)
class Crontab:
    """Local times by their parts; Sunday is day 0. A day must fit both day of month and of week."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    zone: ZoneInfo

    def next(self, after: datetime) -> datetime | None:
        """The first slot later than `after`."""
        if self.hours == ALL_HOURS:
            return self._next_passing(after)
        return self._next_fixed(after)

    def _next_fixed(self, after: datetime) -> datetime | None:
        # A jump of the clocks moves slots on: those of the day before may come after `after`.
        begin = after.astimezone(self.zone).date() - DAY
        for number in range(YEARS_AHEAD * 366):
            day = begin + number * DAY
            if self._fits(day):
                later = [slot for slot in self._of(day) if slot > after]
                if later:
                    return min(later)
        return None

    def _next_passing(self, after: datetime) -> datetime | None:
        moment = after.astimezone(UTC).replace(second=0, microsecond=0) + MINUTE
        last = moment + YEARS_AHEAD * 366 * DAY
        while moment < last:
            local = moment.astimezone(self.zone)
            if not self._fits(local.date()):
                moment = max(_first_of(local.date() + DAY, self.zone), moment + MINUTE)
            elif local.minute in self.minutes:
                return moment
            else:
                moment += MINUTE
        return None

    def _fits(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        return day.month in self.months and day.day in self.days and weekday in self.weekdays

    def _of(self, day: date) -> set[datetime]:
        """The slots of one local day."""
        return {
            datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone).astimezone(UTC)
            for hour in self.hours
            for minute in self.minutes
        }


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so often, counted from the anchor, which is a slot itself."""

    every: timedelta
    anchor: datetime

    def next(self, after: datetime) -> datetime | None:
        """The first slot later than `after`."""
        if after < self.anchor:
            return self.anchor
        return self.anchor + ((after - self.anchor) // self.every + 1) * self.every


@dataclass(frozen=True, slots=True)
class Once:
    """One moment."""

    moment: datetime

    def next(self, after: datetime) -> datetime | None:
        """The moment, until it has come."""
        return self.moment if after < self.moment else None


def following(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """The slots later than a moment, one after the other, perhaps without end."""
    slot = schedule.next(after)
    while slot is not None:
        yield slot
        slot = schedule.next(slot)


def upcoming(schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    """The next `count` slots, or as many as there are."""
    return list(islice(following(schedule, after), count))


def between(schedule: Schedule, after: datetime, until: datetime) -> list[datetime]:
    """The slots later than `after` and not later than `until`."""
    return list(takewhile(lambda slot: slot <= until, following(schedule, after)))


def newest(schedule: Schedule, after: datetime, until: datetime, most: int) -> list[datetime]:
    """The last `most` of the slots between, in their order, without counting through the others."""
    span = MINUTE
    while True:
        begin = max(after, until - span)
        found = between(schedule, begin, until)
        if len(found) >= most or begin == after:
            return found[-most:]
        span *= 2


def _first_of(day: date, zone: ZoneInfo) -> datetime:
    """The beginning of a local day."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
