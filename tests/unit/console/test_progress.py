"""How far a job is."""

from datetime import UTC, datetime, timedelta

from hashworld.console import progress
from hashworld.tasks.models import Job

BEGAN = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_the_rest_takes_as_long_as_the_beginning_did() -> None:
    job = Job(created_at=BEGAN, succeed=40, runtime_error=10, waiting=150)
    found = progress.of(job, BEGAN + timedelta(seconds=10))
    assert (found.percent, found.left, found.rate) == (25, 150, 5)
    assert found.seconds_left == 30


def test_one_task_that_is_left_keeps_a_job_below_the_end() -> None:
    job = Job(created_at=BEGAN, succeed=999_999, running=1)
    assert progress.of(job, BEGAN).percent == 99


def test_nothing_is_foretold_before_the_first_task_has_ended() -> None:
    found = progress.of(Job(created_at=BEGAN, waiting=5), BEGAN + timedelta(seconds=10))
    assert found.seconds_left is None


def test_the_bar_holds_every_state() -> None:
    job = Job(
        created_at=BEGAN, succeed=2, runtime_error=1, killed=1, running=2, inqueue=2, waiting=2
    )
    found = progress.of(job, BEGAN)
    assert sum(part.share for part in found.parts) == 100
    assert [part.count for part in found.parts] == [2, 1, 1, 2, 2, 2]


def test_a_job_without_tasks_has_no_share_of_anything() -> None:
    found = progress.of(Job(created_at=BEGAN), BEGAN)
    assert found.percent == 0
    assert not any(part.share for part in found.parts)
