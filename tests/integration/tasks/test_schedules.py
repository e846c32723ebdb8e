"""The built-in schedules are made once, and are the operator's from then on."""

import pytest
from django.core.management import call_command
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from hashworld.celery import CONTROL_QUEUE, app
from hashworld.tasks import schedules

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_missing_is_made_and_nothing_twice() -> None:
    assert schedules.make() == [built_in.name for built_in in schedules.BUILT_IN]
    assert schedules.make() == []
    assert PeriodicTask.objects.count() == len(schedules.BUILT_IN)


def test_an_operators_edit_stays() -> None:
    schedules.make()
    slow = IntervalSchedule.objects.create(every=77, period="seconds")
    PeriodicTask.objects.filter(name="dispatch").update(enabled=False, interval=slow)
    PeriodicTask.objects.get(name="reaper").delete()
    assert schedules.make() == ["reaper"]
    edited = PeriodicTask.objects.get(name="dispatch")
    assert (edited.enabled, edited.interval) == (False, slow)


def test_an_interval_that_stands_there_twice_is_no_obstacle() -> None:
    for _ in range(2):
        IntervalSchedule.objects.create(every=1, period="seconds")
    assert schedules.make()


def test_every_schedule_names_a_task_that_exists_and_goes_to_the_control_queue() -> None:
    app.loader.import_default_modules()
    schedules.make()
    for task in PeriodicTask.objects.all():
        assert task.task in app.tasks
        assert (task.queue, task.routing_key) == (CONTROL_QUEUE, CONTROL_QUEUE)
        assert task.expire_seconds


def test_initschedules_says_what_it_made(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("initschedules")
    assert (
        capsys.readouterr().out
        == "Schedules made: dispatch, bulk operations, reaper, heartbeat request,"
        " retention, metrics, recurring jobs.\n"
    )
    call_command("initschedules")
    assert capsys.readouterr().out == "Schedules made: none were missing.\n"
