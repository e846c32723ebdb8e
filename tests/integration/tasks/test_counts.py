"""What is counted adds up, by the minute, by the hour and for ever."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import counts, moves, rollup
from hashworld.tasks.counts import BEGINNING, HOUR, Count
from hashworld.tasks.models import Attempt, Hour, Minute
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)

SUCCEEDED = Count(1, "succeeded", 1, 100, 0.2)


def numbers(model: type[Minute] | type[Hour]) -> Counter[str]:
    found = model.objects.exclude(kind="rolled").values_list("kind").annotate(Sum("number"))
    return Counter(dict(found.order_by("kind")))


def this_hour() -> datetime:
    return counts.hour_of(clock.now())


def test_a_set_is_counted_by_one_statement() -> None:
    now = clock.now()
    with CaptureQueriesContext(connection) as queries:
        counts.add(now, [SUCCEEDED, SUCCEEDED, Count(1, "reset", 1, 5, 40), Count(2, "kept")])
    assert len(queries) == 1
    row = Minute.objects.get(kind="succeeded")
    assert (row.number, row.bytes, row.milliseconds, row.ms_250) == (2, 200, 400, 2)
    assert Minute.objects.get(kind="reset").ms_more == 1
    assert Minute.objects.count() == 3


def test_what_comes_later_in_the_minute_is_added() -> None:
    now = this_hour()
    counts.add(now, [SUCCEEDED])
    counts.add(now + timedelta(seconds=59), [SUCCEEDED])
    counts.add(now + timedelta(seconds=60), [SUCCEEDED])
    counts.add(now, [Count(2, "succeeded")])
    found = Minute.objects.order_by("minute", "node_id").values_list("node_id", "number")
    assert list(found) == [(1, 2), (2, 1), (1, 1)]


def test_counting_nothing_costs_nothing() -> None:
    now = clock.now()
    with CaptureQueriesContext(connection) as queries:
        counts.add(now, [])
    assert len(queries) == 0


def test_every_attempt_on_record_is_counted_once(node: Node) -> None:
    job = world.hand_in(*world.pages(5))
    [lease] = world.run()
    tasks = world.tasks(job)
    moves.kill([tasks[0].pk])
    moves.rescue([lease.pk])
    attempts = Counter(Attempt.objects.values_list("error", flat=True))
    assert attempts == {"killed": 1, "lost": 4}
    assert numbers(Minute) == attempts


def test_hours_are_the_sums_of_their_minutes() -> None:
    hour = this_hour()
    for minutes in (-61, -1, 0, 1):
        counts.add(hour + timedelta(minutes=minutes), [SUCCEEDED, Count(2, "succeeded", 1, 50)])
    rollup.roll_up()
    found = Hour.objects.filter(kind="succeeded").order_by("hour")
    # The minute to come is in this hour, too.
    assert [(row.hour, row.number, row.bytes, row.ms_250) for row in found] == [
        (hour - 2 * HOUR, 2, 150, 1),
        (hour - HOUR, 2, 150, 1),
        (hour, 4, 300, 2),
    ]


def test_rolling_up_twice_counts_nothing_twice() -> None:
    counts.add(clock.now(), [SUCCEEDED])
    rollup.roll_up()
    rollup.roll_up()
    assert numbers(Hour) == {"succeeded": 1}


def test_what_a_slow_flush_adds_to_the_last_hour_is_still_rolled_up() -> None:
    hour = this_hour()
    counts.add(hour, [SUCCEEDED])
    rollup.roll_up()
    counts.add(hour - timedelta(seconds=1), [SUCCEEDED])
    rollup.roll_up()
    assert numbers(Hour) == {"succeeded": 2}


def test_hours_missed_while_nobody_rolled_up_are_made_good_before_their_minutes_go() -> None:
    hour = this_hour()
    counts.add(hour - 200 * HOUR, [SUCCEEDED])
    counts.add(hour - 100 * HOUR, [SUCCEEDED])
    counts.add(hour, [SUCCEEDED])
    assert rollup.roll_up() == 201
    assert numbers(Hour) == {"succeeded": 3}
    assert numbers(Minute) == {"succeeded": 1}


def test_an_idle_cluster_rolls_up_little() -> None:
    assert rollup.roll_up() == 1
    Hour.objects.update(hour=this_hour() - 1000 * HOUR)
    assert rollup.roll_up() == 1


def test_minutes_whose_hours_are_not_final_are_never_dropped() -> None:
    counts.add(this_hour() - 100 * HOUR, [SUCCEEDED])
    assert rollup._drop_minutes(this_hour()) == 0
    rollup.roll_up()
    counts.add(this_hour(), [SUCCEEDED])
    assert rollup._drop_minutes(this_hour() + HOUR) == 0
    assert Minute.objects.count() == 1


def test_the_totals_never_change_by_rolling_up_and_dropping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollup, "CHUNK", 2)
    monkeypatch.setattr(rollup, "KEEP_HOURS", timedelta(days=10))
    hour = this_hour()
    for hours in (0, 1, 2, 3, 60, 61, 250, 251, 252):
        counts.add(hour - hours * HOUR, [SUCCEEDED, Count(1, "kept", 1, 10)])
    before = counts.totals()
    assert before["succeeded"]["number"] == 9
    for _ in range(2):
        rollup.roll_up()
        after = counts.totals()
        assert {kind: after[kind] for kind in before} == before
    assert Hour.objects.get(hour=BEGINNING, kind="succeeded").number == 3
    assert Minute.objects.filter(minute__lt=hour - 59 * HOUR).count() == 0
    assert counts.kept_bytes() == 90


def test_what_was_kept_before_it_was_counted_is_in_the_totals() -> None:
    Hour.objects.create(hour=BEGINNING, kind="kept", number=3, bytes=30)
    assert counts.kept_bytes() == 30
    rollup.roll_up()
    counts.add(clock.now(), [Count(0, "freed", 1, 10)])
    assert counts.kept_bytes() == 20
