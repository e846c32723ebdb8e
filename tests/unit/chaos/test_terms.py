"""The judge of decided slots: it must see every wrong that it is there to see."""

from datetime import UTC, datetime, timedelta

from tests.chaos.nemesis.terms import Decision, wrongs

SLOT = datetime(2026, 1, 1, tzinfo=UTC)
LATER = SLOT + timedelta(seconds=1)


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
