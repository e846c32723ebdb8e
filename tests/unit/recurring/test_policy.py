"""Which missed slots are made up for, and what a firing does while another's job runs."""

from datetime import UTC, datetime, timedelta

import pytest

from hashworld.recurring.policy import (
    MOST_CAUGHT_UP,
    MOST_QUEUED,
    ON_TIME,
    CatchUp,
    Due,
    Overlap,
    Verdict,
    due,
    overlapping,
)

NOW = datetime(2026, 11, 21, 12, 0, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: At 8:00, 9:00 and so on until 12:00, ten seconds ago.
SLOTS = [datetime(2026, 11, 21, hour, tzinfo=UTC) for hour in range(8, 13)]


def test_a_slot_on_time_fires_whatever_the_policy() -> None:
    for catch_up in CatchUp:
        assert due(SLOTS[-1:], NOW, catch_up, timedelta(0)) == Due(SLOTS[-1:], [])


@pytest.mark.parametrize(
    ("catch_up", "fired"), [(CatchUp.NONE, 0), (CatchUp.LAST, 1), (CatchUp.ALL, 3)]
)
def test_of_missed_slots_none_the_last_or_those_within_the_window_fire(
    catch_up: CatchUp, fired: int
) -> None:
    missed = SLOTS[:-1]
    found = due(missed, NOW, catch_up, 3.5 * HOUR)
    assert found.fire == missed[len(missed) - fired :]
    assert found.missed == missed[: len(missed) - fired]


def test_without_catching_up_a_minute_is_still_on_time() -> None:
    slot = NOW - ON_TIME
    assert due([slot], NOW, CatchUp.NONE, HOUR).fire == [slot]
    late = slot - timedelta(microseconds=1)
    assert due([late], NOW, CatchUp.NONE, HOUR) == Due([], [late])


def test_no_more_than_so_many_are_made_up_for() -> None:
    many = [NOW - timedelta(seconds=s) for s in range(MOST_CAUGHT_UP + 5, 0, -1)]
    found = due(many, NOW, CatchUp.ALL, HOUR)
    assert found == Due(many[5:], many[:5])


@pytest.mark.parametrize("overlap", Overlap)
def test_a_firing_alone_is_submitted(overlap: Overlap) -> None:
    verdict = overlapping(overlap, running=False, submitting=False, place=1)
    assert verdict is Verdict.SUBMIT


@pytest.mark.parametrize(
    ("overlap", "verdict"),
    [
        (Overlap.SKIP, Verdict.SKIP),
        (Overlap.QUEUE, Verdict.WAIT),
        (Overlap.KILL, Verdict.REPLACE),
    ],
)
def test_a_firing_beside_a_running_job_does_as_the_policy_says(
    overlap: Overlap, verdict: Verdict
) -> None:
    assert overlapping(overlap, running=True, submitting=False, place=1) is verdict


def test_what_is_being_submitted_cannot_be_killed_yet() -> None:
    for running in (True, False):
        verdict = overlapping(Overlap.KILL, running=running, submitting=True, place=1)
        assert verdict is Verdict.WAIT


def test_the_queue_is_bounded() -> None:
    def verdict(place: int) -> Verdict:
        return overlapping(Overlap.QUEUE, running=True, submitting=False, place=place)

    assert verdict(MOST_QUEUED) is Verdict.WAIT
    assert verdict(MOST_QUEUED + 1) is Verdict.SKIP
