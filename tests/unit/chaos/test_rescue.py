"""How soon work was taken back: what is measured, and what is called false."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.nemesis.rescue import (
    Loss,
    Silence,
    TaskLoss,
    false_rescues,
    percentile,
    rescues,
    storms,
)
from tests.chaos.trace import Change
from tests.chaos.verdict import INQUEUE, RUNNING, WAITING

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
GRACE = timedelta(seconds=5)
SILENCE = Silence("kill", "n1", "first", BEGAN, last_beat=BEGAN - timedelta(seconds=2))


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def test_a_rescue_lasts_from_the_last_beat_until_the_last_task_is_back() -> None:
    changes = [
        Change(1, RUNNING, WAITING, 7, None, after(12)),
        Change(2, INQUEUE, WAITING, 7, None, after(14)),
        Change(1, INQUEUE, RUNNING, 8, 8, after(15)),
    ]
    [found] = rescues([SILENCE], changes, {7: "first", 8: "second"})
    assert (found.seconds, found.again) == (16, 17)


def test_what_others_give_back_is_no_rescue() -> None:
    changes = [Change(1, RUNNING, WAITING, 9, None, after(12))]
    assert rescues([SILENCE], changes, {9: "second"}) == []


@pytest.mark.parametrize(("ended", "false"), [(None, 0), (10.0, 0), (5.0, 1)])
def test_a_loss_of_a_silence_that_is_long_over_is_false(ended: float | None, false: int) -> None:
    silence = Silence("freeze", "n1", "first", BEGAN, ended=after(ended) if ended else None)
    found = false_rescues([Loss("first", after(12))], [silence], {"first": after(60)}, GRACE)
    assert len(found) == false


def test_a_loss_of_who_was_never_heard_again_is_not_false() -> None:
    assert not false_rescues([Loss("first", after(12))], [], {"first": BEGAN}, GRACE)
    assert false_rescues([Loss("first", after(12))], [], {"first": after(13)}, GRACE)


@pytest.mark.parametrize(
    ("losses", "wrong"),
    [
        ([TaskLoss(1, "first", after(12)), TaskLoss(1, "first", after(24))], 0),
        ([TaskLoss(1, "first", after(12)), TaskLoss(1, "first", after(23))], 1),
        ([TaskLoss(1, "first", after(5)), TaskLoss(1, "first", after(0))], 1),
        ([TaskLoss(1, "first", after(12)), TaskLoss(2, "first", after(13))], 0),
        ([TaskLoss(1, "first", after(12)), TaskLoss(1, "second", after(13))], 0),
        ([TaskLoss(1, "first", after(36)), TaskLoss(1, "first", after(37))], 0),
    ],
)
def test_no_task_is_lost_twice_within_a_lease_time_while_links_come_and_go(
    losses: list[TaskLoss], wrong: int
) -> None:
    flapping = Silence("flap", "n1", "first", BEGAN, ended=after(30))
    assert len(storms(losses, [flapping], timedelta(seconds=12), GRACE)) == wrong


def test_a_percentile_is_the_value_that_so_many_do_not_exceed() -> None:
    values = [float(n) for n in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([], 0.5)) == (50, 99, 0)
