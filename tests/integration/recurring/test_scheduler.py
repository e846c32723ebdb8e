"""A scheduler fires only while it leads, and takes over where the one before it stood."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError
from django_celery_beat.models import (
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    PeriodicTasks,
    SolarSchedule,
)
from kombu.exceptions import OperationalError as BrokerError

from hashworld.celery import EXCHANGE, SETTINGS, app, node_queue
from hashworld.nodes import clock, master
from hashworld.nodes.leadership import Candidate
from hashworld.nodes.models import Leadership
from hashworld.recurring import changes, firing
from hashworld.recurring.firing import Come
from hashworld.recurring.models import Cursor, Firing
from hashworld.recurring.scheduler import Entry, Scheduler
from tests.conftest import WaitUntil
from tests.integration.recurring.conftest import Make
from tests.integration.recurring.world import Hand, backdate, every, since

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


@pytest.fixture
def scheduler(master: Candidate) -> Hand:
    return Hand(master)


def slots_passed(seconds: int) -> None:
    """Let the cursors be so far behind."""
    for cursor in Cursor.objects.all():
        Cursor.objects.filter(pk=cursor.pk).update(slot=cursor.slot - timedelta(seconds=seconds))


def overtake() -> Candidate:
    """Another candidate leads from now on, while the first still believes that it does."""
    Leadership.objects.update(expires_at=clock.now() - HOUR)
    other = Candidate("there/2")
    assert other.run_once()
    return other


def test_celery_beat_is_this_scheduler() -> None:
    service = app.Beat(quiet=True).Service(app=app, scheduler_cls=SETTINGS["beat_scheduler"])
    assert type(service.get_scheduler(lazy=True)) is Scheduler


def test_a_standby_fires_nothing_and_reads_nothing(db: None) -> None:
    every(1)
    standby = Hand(Candidate("here/1"))
    assert standby.tick() < 1
    assert standby.published == []
    assert not Cursor.objects.exists()


def test_a_master_fires_each_slot_once(scheduler: Hand) -> None:
    every(3600)
    scheduler.tick()
    scheduler.tick()
    assert scheduler.published == ["every 3600 s"]
    assert Cursor.objects.get().published


def test_of_the_slots_that_a_task_missed_the_last_fires(scheduler: Hand) -> None:
    every(60)
    scheduler.tick()
    slots_passed(600)
    again = Hand(scheduler._candidate)
    again.tick()
    assert again.published == ["every 60 s"]


def test_a_new_master_goes_on_where_the_old_one_stood(
    scheduler: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    every(3600)
    scheduler.tick()
    successor = Hand(overtake())
    with monkeypatch.context() as watched:
        watched.setattr(firing, "decide", lambda *_: pytest.fail("it was decided"))
        successor.tick()
    slots_passed(3600)
    third = Hand(successor._candidate)
    third.tick()
    assert third.published == ["every 3600 s"]


def test_a_master_that_was_overtaken_fires_nothing(scheduler: Hand) -> None:
    every(3600)
    overtake()
    assert scheduler._candidate.leads(), "it believes that it does"
    scheduler.tick()
    assert scheduler.published == []


def test_an_overtaken_master_that_leads_again_reads_again(scheduler: Hand) -> None:
    every(3600)
    scheduler.tick()
    PeriodicTask.objects.update(enabled=False)  # not told, as by a restored backup
    overtake()
    slots_passed(3600)
    Leadership.objects.update(expires_at=clock.now() - HOUR)
    assert scheduler._candidate.run_once()
    scheduler.tick()
    assert scheduler._entries == []


def test_a_change_is_seen_at_the_next_tick_whatever_its_hour(scheduler: Hand) -> None:
    scheduler.tick()
    far = (clock.now() + 12 * HOUR).hour
    table = CrontabSchedule.objects.create(minute="0", hour=str(far))
    PeriodicTask.objects.create(name="far", task="a.task", crontab=table)
    scheduler.tick()
    assert [entry.name for entry in scheduler._entries] == ["far"]


def test_a_change_that_was_committed_late_is_seen(scheduler: Hand) -> None:
    task = every(3600, enabled=False)
    scheduler.tick()
    PeriodicTask.objects.filter(pk=task.pk).update(enabled=True)
    PeriodicTasks.objects.update(last_update=clock.now() - HOUR)
    scheduler.tick()
    assert scheduler.published == ["every 3600 s"]


def test_a_schedule_that_cannot_be_read_does_not_stop_the_others(scheduler: Hand) -> None:
    every(3600)
    sun = SolarSchedule.objects.create(event="sunrise", latitude=52, longitude=13)
    PeriodicTask.objects.create(name="solar", task="a.task", solar=sun)
    wrong = CrontabSchedule.objects.create(minute="61")
    PeriodicTask.objects.create(name="wrong", task="a.task", crontab=wrong)
    swift = IntervalSchedule.objects.create(every=5, period="microseconds")
    PeriodicTask.objects.create(name="swift", task="a.task", interval=swift)
    scheduler.tick()
    assert scheduler.published == ["every 3600 s"]


def test_what_the_broker_did_not_take_is_decided_and_known_to_be_unpublished(
    scheduler: Hand,
) -> None:
    every(3600)
    scheduler.failing = BrokerError("away")
    scheduler.tick()
    assert not Cursor.objects.get().published
    scheduler.failing = None
    scheduler.tick()
    assert scheduler.published == [], "the next slot comes"
    slots_passed(3600)
    scheduler._read_at = None
    scheduler.tick()
    assert scheduler.published == ["every 3600 s"]
    assert Cursor.objects.get().published


def test_a_slot_is_not_lost_when_the_database_fails_while_it_is_decided(
    scheduler: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    every(3600)

    def fail(*_: object) -> bool:
        raise DatabaseError("gone away")

    with monkeypatch.context() as broken:
        broken.setattr(firing, "decide", fail)
        assert scheduler.tick() == 1
    scheduler.tick()
    assert scheduler.published == ["every 3600 s"]


def test_a_task_that_was_deleted_without_telling_does_not_stop_the_others(
    scheduler: Hand,
) -> None:
    gone, stays = every(7200), every(3600)
    scheduler.tick()
    scheduler.published.clear()
    slots_passed(7200)
    Cursor.objects.filter(pk=gone.pk).delete()
    PeriodicTask.objects.filter(pk=gone.pk).update(enabled=False)
    PeriodicTask.objects.filter(pk=gone.pk)._raw_delete("default")  # as another program would
    for entry in scheduler._entries:
        entry._pass(clock.now() - 2 * HOUR)
    scheduler.tick()
    scheduler.tick()
    assert scheduler.published == [stays.name]


def test_a_task_that_begins_later_or_has_expired_does_not_fire(scheduler: Hand) -> None:
    now = clock.now()
    every(3600, start_time=now + 2 * HOUR)
    every(7200, expires=now - HOUR * 24)
    hourly = CrontabSchedule.objects.create(minute="0")
    later = PeriodicTask.objects.create(
        name="later", task="a.task", crontab=hourly, start_time=now + 2 * HOUR
    )
    backdate(later.pk, now - 2 * HOUR)
    scheduler.tick()
    assert scheduler.published == []


def test_what_nobody_took_in_its_time_is_dropped_by_the_brokers_clock_alone(
    scheduler: Hand, wait_until: WaitUntil
) -> None:
    name = f"nobody-{uuid4().hex[:8]}"
    columns = {"exchange": EXCHANGE.name, "routing_key": f"node.{name}"}
    soon, later = (
        Entry(every(3600 + seconds, expire_seconds=seconds, **columns), clock.now(), app)
        for seconds in (1, 600)
    )
    come = Come(soon.model.pk, clock.now(), clock.now())
    with app.connection_for_write() as connection:
        queue = node_queue(name)(connection.default_channel)
        queue.declare()
        Scheduler._publish(scheduler, later, come, 1)
        assert queue.get(no_ack=True).headers["expires"] is None
        Scheduler._publish(scheduler, soon, come, 1)
        wait_until(lambda: queue.queue_declare(passive=True).message_count == 0)
        queue.delete()


def test_the_next_tick_comes_with_the_next_slot(scheduler: Hand) -> None:
    every(3600)
    assert scheduler.tick() == SETTINGS["beat_max_loop_interval"]
    every(1)
    assert 0 <= scheduler.tick() <= 1


def test_a_change_by_somebody_whose_clock_is_ahead_holds_nothing_up(
    scheduler: Hand, wait_until: WaitUntil
) -> None:
    task = every(1)
    backdate(task.pk, clock.now() + 5 * HOUR)
    wait_until(lambda: scheduler.tick() and scheduler.published)


def test_a_recurring_job_that_fires_is_owed_and_published(scheduler: Hand, make: Make) -> None:
    recurring = make()
    since(recurring, clock.now() - HOUR)
    scheduler.tick()
    assert scheduler.published == [f"recurring job {recurring.pk}"]
    assert Firing.objects.get().recurring == recurring


def test_a_paused_recurring_job_does_not_fire_and_forgets_what_passed(
    scheduler: Hand, make: Make
) -> None:
    recurring = make()
    since(recurring, clock.now() - HOUR)
    changes.pause(recurring.pk, "holidays")
    scheduler.tick()
    changes.resume(recurring.pk)
    scheduler.tick()
    assert not Firing.objects.exists()


def test_a_scheduler_fires_as_soon_as_its_process_leads(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = Candidate("here/1")
    monkeypatch.setattr(master, "_master", master.Master(candidate))
    every(3600)
    scheduler = Scheduler(app)
    published: list[Entry] = []
    monkeypatch.setattr(scheduler, "_publish", lambda entry, *_: published.append(entry))
    scheduler.tick()
    assert not published
    assert candidate.run_once()
    scheduler.tick()
    assert len(published) == 1
