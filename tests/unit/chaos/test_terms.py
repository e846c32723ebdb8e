"""The judge of decided slots: it must see every wrong that it is there to see."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.nemesis.terms import Decision, gaps, missing, wrongs

SLOT = datetime(2026, 1, 1, tzinfo=UTC)
LATER = SLOT + timedelta(seconds=1)
LIMIT = timedelta(seconds=20)


def at(seconds: float) -> datetime:
    return SLOT + timedelta(seconds=seconds)


def test_slots_in_turn_under_the_term_that_leads_are_right() -> None:
    decisions = [Decision(1, SLOT, 3, 3), Decision(2, SLOT, 3, 3), Decision(1, LATER, 4, 4)]
    assert wrongs(decisions) == []


def test_a_slot_that_is_decided_twice_is_wrong_whoever_decides_it() -> None:
    assert len(wrongs([Decision(1, SLOT, 3, 3), Decision(1, SLOT, 4, 4)])) == 1


def test_a_slot_before_one_that_is_decided_is_wrong() -> None:
    decisions = [Decision(1, LATER, 3, 3), Decision(1, SLOT, 3, 3), Decision(1, LATER, 3, 3)]
    assert len(wrongs(decisions)) == 2


def test_a_decision_of_a_term_that_leads_no_more_is_wrong() -> None:
    assert len(wrongs([Decision(1, SLOT, 3, 4)])) == 1


@pytest.mark.parametrize(
    ("slots", "wrong"),
    [
        ([10, 20, 40, 60], 0),
        ([10, 20, 41, 60], 1),
        ([21, 40, 60], 1),
        ([10, 20, 39], 1),
        ([], 1),
    ],
)
def test_a_time_without_a_slot_is_no_longer_than_a_failover(slots: list[int], wrong: int) -> None:
    assert len(missing(gaps(map(at, slots), (SLOT, at(60)), []), LIMIT)) == wrong


def test_a_time_in_which_nobody_could_lead_does_not_count() -> None:
    away = [(at(12), at(27))]
    assert missing(gaps([at(10), at(45)], (SLOT, at(60)), away), LIMIT) == []
    assert len(missing(gaps([at(10), at(46)], (SLOT, at(60)), away), LIMIT)) == 1
    elsewhere = [(at(50), at(59))]
    assert len(missing(gaps([at(10), at(45)], (SLOT, at(60)), elsewhere), LIMIT)) == 1
