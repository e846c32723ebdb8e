"""Slots of crontabs, intervals and moments, and the days when the clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashworld.recurring.slots import (
    ALL_HOURS,
    Crontab,
    Interval,
    Once,
    Schedule,
    between,
    newest,
    upcoming,
)

BERLIN = ZoneInfo("Europe/Berlin")
ALL_MINUTES, ALL_DAYS = frozenset(range(60)), frozenset(range(1, 32))
ALL_MONTHS, ALL_WEEKDAYS = frozenset(range(1, 13)), frozenset(range(7))
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
ZONES += ["America/Havana", "Asia/Beirut", "Pacific/Apia"]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def cron(
    minutes: set[int] | frozenset[int] = ALL_MINUTES,
    hours: set[int] | frozenset[int] = ALL_HOURS,
    zone: ZoneInfo = BERLIN,
    **days: set[int],
) -> Crontab:
    return Crontab(
        frozenset(minutes),
        frozenset(hours),
        frozenset(days.get("days", ALL_DAYS)),
        frozenset(days.get("months", ALL_MONTHS)),
        frozenset(days.get("weekdays", ALL_WEEKDAYS)),
        zone,
    )


def test_a_crontab_fires_at_its_local_time_in_summer_and_in_winter() -> None:
    nightly = cron({30}, {2})
    assert nightly.next(utc(2026, 1, 10)) == utc(2026, 1, 10, 1, 30)
    assert nightly.next(utc(2026, 7, 10)) == utc(2026, 7, 10, 0, 30)


def test_a_slot_is_strictly_later_than_the_one_before() -> None:
    nightly = cron({30}, {2})
    assert nightly.next(utc(2026, 1, 10, 1, 30)) == utc(2026, 1, 11, 1, 30)


def test_a_time_that_does_not_exist_fires_once_an_hour_later_on_the_clock() -> None:
    # On 29 March 2026 the clocks of Berlin jump from 02:00 to 03:00, at 01:00 UTC.
    nightly = cron({30}, {2})
    found = between(nightly, utc(2026, 3, 28), utc(2026, 3, 31))
    assert found == [utc(2026, 3, 28, 1, 30), utc(2026, 3, 29, 1, 30), utc(2026, 3, 30, 0, 30)]
    assert found[1].astimezone(BERLIN).strftime("%H:%M") == "03:30"


def test_a_time_that_comes_twice_fires_once_at_the_first() -> None:
    # On 25 October 2026 they go back from 03:00 to 02:00, at 01:00 UTC.
    nightly = cron({30}, {2})
    found = between(nightly, utc(2026, 10, 24), utc(2026, 10, 27))
    assert found == [utc(2026, 10, 24, 0, 30), utc(2026, 10, 25, 0, 30), utc(2026, 10, 26, 1, 30)]


def test_from_between_the_two_of_a_time_that_comes_twice_the_next_is_tomorrow() -> None:
    assert cron({30}, {2}).next(utc(2026, 10, 25, 0, 45)) == utc(2026, 10, 26, 1, 30)


def test_a_slot_that_a_jump_moves_into_the_next_day_is_found_on_that_day() -> None:
    # In Scoresbysund they jumped from Saturday's 23:00 to Sunday's 00:00, at 01:00 UTC.
    late = cron({30}, {23}, ZoneInfo("America/Scoresbysund"))
    assert late.next(utc(2025, 3, 30, 1, 15)) == utc(2025, 3, 30, 1, 30)


def test_a_moved_slot_that_meets_another_fires_once() -> None:
    found = between(cron({30}, {2, 3}), utc(2026, 3, 29), utc(2026, 3, 29, 12))
    assert found == [utc(2026, 3, 29, 1, 30)]


@pytest.mark.parametrize(("month", "day"), [(3, 29), (10, 25)])
def test_a_crontab_of_every_hour_follows_the_time_that_passes(month: int, day: int) -> None:
    found = between(cron({0, 30}), utc(2026, month, day), utc(2026, month, day, 4))
    assert [later - slot for slot, later in pairwise(found)] == [timedelta(minutes=30)] * 7


def test_a_day_must_fit_both_month_and_week() -> None:
    friday_13th = cron({0}, {12}, days={13}, weekdays={5})
    assert friday_13th.next(utc(2026, 4, 1)) == utc(2026, 11, 13, 11)


def test_sunday_is_day_0() -> None:
    slot = cron({0}, {12}, weekdays={0}).next(utc(2026, 11, 21))
    assert slot == utc(2026, 11, 22, 11)


def test_the_29th_of_february_is_found_years_ahead() -> None:
    leap = {"days": {29}, "months": {2}}
    assert cron({0}, {0}, ZoneInfo("UTC"), **leap).next(utc(2026, 1, 1)) == utc(2028, 2, 29)
    every_hour = cron({0}, zone=ZoneInfo("UTC"), **leap)
    assert every_hour.next(utc(2028, 2, 29, 23)) == utc(2032, 2, 29)


@pytest.mark.parametrize("hours", [{1}, ALL_HOURS])
def test_a_day_that_never_comes_has_no_slot(hours: set[int]) -> None:
    assert cron({0}, hours, days={30}, months={2}).next(utc(2026, 1, 1)) is None


def test_an_interval_counts_from_its_anchor_whatever_the_clocks_do() -> None:
    daily = Interval(timedelta(days=1), utc(2026, 3, 27, 1, 30))
    assert daily.next(utc(2026, 3, 1)) == daily.anchor
    assert daily.next(daily.anchor) == utc(2026, 3, 28, 1, 30)
    assert daily.next(utc(2026, 3, 29, 12)) == utc(2026, 3, 30, 1, 30)


def test_a_moment_comes_once() -> None:
    once = Once(utc(2026, 5, 1))
    assert upcoming(once, utc(2026, 1, 1), 5) == [utc(2026, 5, 1)]
    assert once.next(utc(2026, 5, 1)) is None


def test_the_newest_are_found_without_counting_through_the_others() -> None:
    steps = 0

    class Counted:
        def next(self, after: datetime) -> datetime | None:
            nonlocal steps
            steps += 1
            return Interval(timedelta(seconds=10), utc(2026, 1, 1)).next(after)

    found = newest(Counted(), utc(2026, 1, 1), utc(2026, 6, 1), 3)
    assert found == [utc(2026, 5, 31, 23, 59, 40), utc(2026, 5, 31, 23, 59, 50), utc(2026, 6, 1)]
    assert steps < 50


subsets = st.sets(st.integers(0, 59), min_size=1, max_size=4)
hours_of_day = st.one_of(
    st.sets(st.integers(0, 23), min_size=1, max_size=4), st.just(set(ALL_HOURS))
)
moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 1), timezones=st.just(UTC))
crontabs: st.SearchStrategy[Schedule] = st.builds(
    lambda minutes, hours, zone: cron(minutes, hours, ZoneInfo(zone)),
    subsets,
    hours_of_day,
    st.sampled_from(ZONES),
)
intervals: st.SearchStrategy[Schedule] = st.builds(
    Interval, st.timedeltas(timedelta(seconds=10), timedelta(days=9)), moments
)
schedules = st.one_of(crontabs, intervals)


@given(schedules, moments)
def test_slots_rise_and_none_lies_between_two(schedule: Schedule, after: datetime) -> None:
    found = upcoming(schedule, after, 5)
    assert len(found) == 5
    assert all(slot < later for slot, later in pairwise([after, *found]))
    for slot, later in pairwise([after, *found]):
        assert schedule.next(slot) == later
        assert schedule.next(later - timedelta(microseconds=1)) == later
        assert schedule.next(slot + (later - slot) / 2) == later


@given(crontabs, moments)
def test_every_slot_of_a_crontab_is_its_local_time_or_moved_on_by_a_jump(
    schedule: Crontab, after: datetime
) -> None:
    for slot in upcoming(schedule, after, 3):
        local = slot.astimezone(schedule.zone)
        exact = local.minute in schedule.minutes and local.hour in schedule.hours
        jumped = (slot + timedelta(hours=3)).astimezone(schedule.zone).utcoffset() != (
            slot - timedelta(hours=25)
        ).astimezone(schedule.zone).utcoffset()
        assert exact or jumped


@given(st.integers(0, 59), st.integers(0, 23), st.sampled_from(ZONES), st.integers(2025, 2027))
def test_a_fixed_time_of_the_day_fires_once_on_every_day(
    minute: int, hour: int, zone: str, year: int
) -> None:
    daily = cron({minute}, {hour}, ZoneInfo(zone))
    found = between(daily, utc(year, 1, 1), utc(year + 1, 1, 1))
    days = [(slot.astimezone(daily.zone)).date() for slot in found]
    assert len(set(days)) == len(days)
    assert len(days) in (365, 366)


@given(subsets, hours_of_day, moments)
def test_where_the_clocks_never_change_every_fitting_minute_is_a_slot(
    minutes: set[int], hours: set[int], after: datetime
) -> None:
    first = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    passing = [first + timedelta(minutes=number) for number in range(6 * 60)]
    fitting = [m for m in passing if m.minute in minutes and m.hour in hours]
    assert between(cron(minutes, hours, ZoneInfo("UTC")), after, passing[-1]) == fitting


@given(schedules, moments, st.timedeltas(timedelta(0), timedelta(days=2)), st.integers(1, 5))
def test_the_newest_are_the_last_of_all(
    schedule: Schedule, after: datetime, length: timedelta, most: int
) -> None:
    until = after + length
    assert newest(schedule, after, until, most) == between(schedule, after, until)[-most:]
