"""A slot is decided once, under the term that leads, and what it owes is written with it."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django_celery_beat.models import ClockedSchedule, PeriodicTask

from hashworld.nodes import clock
from hashworld.nodes.leadership import Candidate, TermOver
from hashworld.nodes.models import Leadership
from hashworld.recurring import firing
from hashworld.recurring.firing import Come
from hashworld.recurring.models import Cursor, Firing, FiringState
from hashworld.recurring.template import Timing
from tests.integration.recurring.conftest import Make
from tests.integration.recurring.world import every, since

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


def come(task: PeriodicTask, seconds: int = 0) -> Come:
    slot = clock.now().replace(microsecond=0) - timedelta(seconds=seconds)
    return Come(task.pk, slot, slot - HOUR)


def test_a_slot_is_decided_once(term: int) -> None:
    slot = come(every(1))
    assert firing.decide(slot, term)
    assert not firing.decide(slot, term)
    task = PeriodicTask.objects.get()
    assert task.total_run_count == 1
    assert task.last_run_at is not None


def test_no_slot_is_decided_after_a_later_one(term: int) -> None:
    task = every(1)
    assert firing.decide(come(task), term)
    assert not firing.decide(come(task, seconds=5), term)


def test_a_slot_is_not_known_to_be_published_until_it_was(term: int) -> None:
    task = every(1)
    firing.decide(come(task, seconds=5), term)
    firing.mark_published(come(task, seconds=6))
    cursor = Cursor.objects.get()
    assert not cursor.published
    firing.mark_published(Come(task.pk, cursor.slot, cursor.slot))
    assert Cursor.objects.get().published
    firing.decide(come(task), term)
    assert not Cursor.objects.get().published


def test_of_two_that_believe_they_lead_one_decides_a_slot(
    term: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even without the check of the term, as if two terms led."""
    monkeypatch.setattr("hashworld.nodes.leadership.guard", lambda term: None)
    task = every(1)
    won: list[int] = []
    for number in range(20):
        slot = come(task, seconds=30 - number)
        barrier = Barrier(2)
        threads = [Thread(target=_race, args=(barrier, slot, term, won)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == number + 1, "neither none nor both"


def _race(barrier: Barrier, slot: Come, term: int, won: list[int]) -> None:
    barrier.wait()
    if firing.decide(slot, term):
        won.append(term)
    connection.close()


def test_a_term_that_is_over_decides_nothing(term: int) -> None:
    task = every(1)
    Leadership.objects.update(expires_at=clock.now() - HOUR)
    assert Candidate("there/2").run_once()
    with pytest.raises(TermOver):
        firing.decide(come(task), term)
    assert not Cursor.objects.exists()
    assert firing.decide(come(task), term + 1)


def test_what_was_switched_off_meanwhile_does_not_fire(term: int) -> None:
    task = every(1)
    PeriodicTask.objects.update(enabled=False)
    assert not firing.decide(come(task), term)
    assert PeriodicTask.objects.get().total_run_count == 0


def test_what_fires_once_is_switched_off_with_its_firing(term: int) -> None:
    task = every(1)
    PeriodicTask.objects.update(one_off=True)
    assert firing.decide(come(task)._replace(one_off=True), term)
    assert not PeriodicTask.objects.get().enabled


def test_a_recurring_job_owes_the_slots_that_came(term: int, make: Make) -> None:
    recurring = make(catch_up="all", window=4 * 3600)
    now = clock.now()
    since(recurring, now - 6.5 * HOUR)
    last = now.replace(minute=0, second=0, microsecond=0)
    decided = Come(recurring.periodic_task_id, last, now - 6.5 * HOUR, recurring_id=recurring.pk)
    assert firing.decide(decided, term)
    assert not firing.decide(decided, term)
    states = Firing.objects.order_by("slot").values_list("slot", "state")
    owed = [slot for slot, state in states if state == FiringState.WAITING]
    missed = [slot for slot, state in states if state == FiringState.MISSED]
    assert owed == [last - number * HOUR for number in range(len(owed) - 1, -1, -1)]
    assert len(owed) in (4, 5)
    assert len(owed) + len(missed) in (6, 7)
    assert max(missed) < min(owed)


def test_what_is_only_missed_is_written_and_not_published(term: int, make: Make) -> None:
    now = clock.now()
    recurring = make(timing=Timing(moment=now + HOUR), catch_up="none")
    moment = now - 2 * HOUR
    ClockedSchedule.objects.update(clocked_time=moment)
    since(recurring, now - 3 * HOUR)
    decided = Come(recurring.periodic_task_id, moment, now - 3 * HOUR, True, recurring.pk)
    assert not firing.decide(decided, term)
    assert [(f.slot, f.state) for f in Firing.objects.all()] == [(moment, FiringState.MISSED)]


def test_slots_before_an_edit_are_forgotten(term: int, make: Make) -> None:
    """Though the scheduler has read the task before the edit."""
    recurring = make(timing=Timing(crontab="* * * * *"), catch_up="all", window=7200)
    now = clock.now()
    decided = Come(recurring.periodic_task_id, now, now - HOUR, recurring_id=recurring.pk)
    since(recurring, now - timedelta(minutes=5))
    assert firing.decide(decided, term)
    assert Firing.objects.count() in (5, 6)
