"""The judge of a recurring job: it must see every slot that is missing, doubled or not obeyed."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from hashworld.recurring.models import FiringState
from tests.chaos.nemesis.recurrence import Fired, wrongs

FIRST, SECOND, THIRD, STRANGE = (
    datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds) for seconds in (10, 20, 30, 33)
)
SUBMITTED, SKIPPED = FiringState.SUBMITTED, FiringState.SKIPPED


@dataclass(frozen=True)
class Books:
    """What there is at the end of a run whose third slot came too late to be decided for sure."""

    firings: list[Fired]
    jobs: set[int] = field(default_factory=lambda: {1})

    def wrongs(self) -> list[str]:
        return wrongs([FIRST, SECOND], [FIRST, SECOND, THIRD], self.firings, self.jobs)


GOOD = Books([Fired(FIRST, SUBMITTED, 1), Fired(SECOND, SKIPPED, None)])


def test_every_slot_with_one_firing_and_at_most_one_job_is_right() -> None:
    assert GOOD.wrongs() == []
    assert replace(GOOD, firings=[*GOOD.firings, Fired(THIRD, SKIPPED, None)]).wrongs() == []


@pytest.mark.parametrize(
    "firings",
    [
        [Fired(FIRST, SUBMITTED, 1)],
        [*GOOD.firings, Fired(SECOND, SKIPPED, None)],
        [*GOOD.firings, Fired(STRANGE, SKIPPED, None)],
        [Fired(FIRST, SUBMITTED, 1), Fired(SECOND, FiringState.WAITING, None)],
        [Fired(FIRST, SUBMITTED, 1), Fired(SECOND, FiringState.MISSED, None)],
        [Fired(FIRST, SUBMITTED, 1), Fired(SECOND, FiringState.FAILED, None)],
        [Fired(FIRST, SUBMITTED, 1), Fired(SECOND, SUBMITTED, None)],
        [Fired(FIRST, SUBMITTED, 1), Fired(SECOND, SUBMITTED, 1)],
    ],
)
def test_a_slot_that_is_missing_doubled_or_strange_is_wrong(firings: list[Fired]) -> None:
    assert len(replace(GOOD, firings=firings).wrongs()) == 1


def test_a_job_that_no_slot_made_is_wrong() -> None:
    assert len(replace(GOOD, jobs={1, 2}).wrongs()) == 1
