"""What firings owe becomes jobs: one for each slot, and never past what overlaps."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from hashworld.nodes import clock
from hashworld.recurring import changes, submission
from hashworld.recurring.models import Firing, FiringState, Recurring
from hashworld.recurring.policy import MOST_QUEUED
from hashworld.tasks import pursuit
from hashworld.tasks.errors import SubmissionBusy
from hashworld.tasks.models import Job
from tests.integration.recurring.conftest import Make

pytestmark = pytest.mark.django_db(transaction=True)
SLOT = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def owe(recurring: Recurring, minutes: int = 0, **columns: Any) -> Firing:
    return Firing.objects.create(recurring=recurring, slot=SLOT + minutes * MINUTE, **columns)


def states() -> list[str]:
    return [firing.state for firing in Firing.objects.order_by("slot")]


def finish(job: Job | None) -> None:
    assert job
    pursuit.kill_job(job.pk)


def test_a_firing_becomes_a_job_of_its_template(make: Make) -> None:
    options = {"method": "POST", "body": "x", "priority": 2, "headers": {"A": "b"}}
    recurring = make(options=options)
    Recurring.objects.update(timezone="Europe/Berlin")
    owe(recurring)
    assert submission.submit_due() == 1
    job = Job.objects.get()
    assert job.name == "Pages 2026-11-21 03:30"
    assert (job.method, bytes(job.body or b""), job.priority) == ("POST", b"x", 2)
    assert job.total == 2
    assert Firing.objects.get().job == job
    assert submission.submit_due() == 0


def test_whoever_died_after_the_submission_leaves_one_job(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    owe(make())

    def die(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(submission, "_settle", die)
        assert submission.submit_due() == 0
    assert states() == [FiringState.WAITING]
    assert submission.submit_due() == 0, "somebody may be at it"
    Firing.objects.update(claimed_at=clock.now() - submission.CLAIM)
    assert submission.submit_due() == 1
    assert Job.objects.count() == 1
    assert Firing.objects.get().job == Job.objects.get()


def test_what_somebody_else_is_submitting_is_left_to_them(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    owe(make())

    def busy(*_: object) -> None:
        raise SubmissionBusy("under way")

    monkeypatch.setattr(submission, "submit", busy)
    assert submission.submit_due() == 0
    assert states() == [FiringState.WAITING]


def test_skip_leaves_out_what_comes_while_the_job_runs(make: Make) -> None:
    recurring = make(overlap="skip")
    owe(recurring)
    owe(recurring, 1)
    assert submission.submit_due() == 1
    assert states() == [FiringState.SUBMITTED, FiringState.SKIPPED]
    finish(Job.objects.get())
    owe(recurring, 2)
    assert submission.submit_due() == 1


def test_queue_waits_for_the_job_before(make: Make) -> None:
    recurring = make(overlap="queue")
    for minute in range(3):
        owe(recurring, minute)
    for jobs in range(1, 4):
        assert submission.submit_due() == 1
        assert submission.submit_due() == 0
        assert Job.objects.count() == jobs
        finish(Job.objects.first())
    assert states() == [FiringState.SUBMITTED] * 3


def test_the_queue_skips_the_newest_when_it_is_full(make: Make) -> None:
    recurring = make(overlap="queue")
    for minute in range(MOST_QUEUED + 3):
        owe(recurring, minute)
    submission.submit_due()
    expected = [FiringState.SUBMITTED, *[FiringState.WAITING] * MOST_QUEUED]
    assert states() == [*expected, *[FiringState.SKIPPED] * 2]


def test_kill_ends_the_job_before(make: Make) -> None:
    recurring = make(overlap="kill")
    owe(recurring)
    submission.submit_due()
    old = Job.objects.get()
    owe(recurring, 1)
    assert submission.submit_due() == 1
    old.refresh_from_db()
    assert old.killed == old.total == 2
    assert Job.objects.running().count() == 1


@pytest.mark.parametrize("overlap", ["queue", "kill"])
def test_nothing_passes_what_is_being_submitted(make: Make, overlap: str) -> None:
    recurring = make(overlap=overlap)
    owe(recurring, claimed_at=clock.now())
    owe(recurring, 1)
    assert submission.submit_due() == 0
    assert states() == [FiringState.WAITING] * 2


def test_a_list_that_has_become_bad_fails_the_firing_with_its_reason(make: Make) -> None:
    recurring = make()
    Recurring.objects.update(urls="ftp://example.com/")
    owe(recurring)
    assert submission.submit_due() == 0
    failed = Firing.objects.get()
    assert failed.state == FiringState.FAILED
    assert "scheme 'ftp'" in failed.reason


def test_a_template_that_breaks_does_not_keep_the_others_from_their_jobs(make: Make) -> None:
    broken, whole = make(), make()
    Recurring.objects.filter(pk=broken.pk).update(options={"no": "option"})
    owe(broken)
    owe(whole)
    assert submission.submit_due() == 1
    assert Firing.objects.get(recurring=broken).state == FiringState.WAITING


def test_what_waited_when_it_was_paused_is_skipped(make: Make) -> None:
    recurring = make()
    owe(recurring)
    changes.pause(recurring.pk, "")
    assert submission.submit_due() == 0
    assert states() == [FiringState.SKIPPED]


def test_what_a_person_asks_for_is_submitted_though_it_is_paused(make: Make) -> None:
    recurring = make()
    changes.pause(recurring.pk, "")
    changes.fire_now(recurring.pk)
    assert submission.submit_due() == 1


def test_the_history_keeps_the_newest(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "HISTORY", 3)
    recurring = make()
    for minute in range(5):
        owe(recurring, minute, state=FiringState.MISSED)
    owe(recurring, 5)
    submission.submit_due()
    kept = Firing.objects.order_by("slot").values_list("slot", flat=True)
    assert list(kept) == [SLOT + minute * MINUTE for minute in (3, 4, 5)]


def test_of_two_that_come_at_once_one_submits(make: Make) -> None:
    for number in range(10):
        recurring = make(overlap="queue")
        owe(recurring, 2 * number)
        owe(recurring, 2 * number + 1)
        barrier = Barrier(2)
        threads = [Thread(target=_race, args=(barrier, recurring.pk)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = sorted(recurring.firings.values_list("state", flat=True))
        assert found == [FiringState.SUBMITTED, FiringState.WAITING]


def _race(barrier: Barrier, recurring_id: int) -> None:
    barrier.wait()
    submission.submit_due_of(recurring_id)
    connection.close()
