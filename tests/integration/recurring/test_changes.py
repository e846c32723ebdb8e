"""Making, changing, pausing and removing recurring jobs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks

from hashworld.nodes import clock
from hashworld.recurring import changes, template, timing
from hashworld.recurring.models import Firing, Recurring
from hashworld.recurring.submission import submit_due
from hashworld.recurring.template import Template, Timing
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import Job
from hashworld.tasks.submit import submit
from tests.integration.recurring.conftest import Make
from tests.integration.recurring.world import HOURLY

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = Template("Pages", "# two\nhttp://a.example/1\n\nhttp://a.example/2\n")
HOUR = timedelta(hours=1)


def test_every_kind_of_timing_is_told_as_it_was_given() -> None:
    moment = clock.now() + HOUR
    for given in (
        Timing("Europe/Berlin", crontab="*/5 2 1,15 * 1-5"),
        Timing("Asia/Kathmandu", every=90, period="seconds"),
        Timing("UTC", moment=moment),
    ):
        recurring = changes.create(PAGES, given)
        again = Recurring.objects.light().get(pk=recurring.pk)
        assert changes.timing_of(again) == given
        assert timing.schedule(again.periodic_task).next(clock.now()) is not None


def test_a_crontab_is_read_in_its_zone() -> None:
    recurring = changes.create(PAGES, Timing("Europe/Berlin", crontab="30 2 * * *"))
    slot = timing.schedule(recurring.periodic_task).next(clock.now())
    assert slot
    assert f"{slot.astimezone(recurring.zone):%H:%M}" == "02:30"


def test_an_interval_first_fires_when_it_has_passed_once() -> None:
    recurring = changes.create(PAGES, Timing(every=2, period="hours"))
    slot = timing.schedule(recurring.periodic_task).next(clock.now())
    assert slot
    assert HOUR < slot - clock.now() <= 2 * HOUR


def test_two_may_have_one_name_and_share_a_schedule() -> None:
    changes.create(PAGES, HOURLY)
    changes.create(PAGES, HOURLY)
    assert CrontabSchedule.objects.count() == 1
    assert PeriodicTask.objects.count() == 2


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"name": ""}, "name", "1 to 160"),
        ({"name": "x" * 161}, "name", "1 to 160"),
        ({"urls": " \n# nothing\n"}, "urls", "there is none"),
        ({"urls": "http://a.example/\nftp://b/\n"}, "urls", "line 2, 'ftp://b/': scheme 'ftp'"),
        ({"urls": "ftp://b/\n" * 7}, "urls", "and 2 more"),
        ({"urls": "http://a.example/\n\0"}, "urls", "line 2 is binary"),
        ({"options": {"method": "PUT"}}, "method", "must be one of"),
        ({"options": {"colour": "red"}}, "options", "colour"),
        ({"options": {"limits": {"total_timeout": "x"}}}, "limits.total_timeout", "a number"),
        ({"overlap": "both"}, "overlap", "must be one of"),
        ({"catch_up": "some"}, "catch_up", "must be one of"),
        ({"window": -1}, "window", "from 0"),
    ],
)
def test_a_wrong_template_changes_nothing_and_is_told_by_its_field(
    changed: dict[str, object], field: str, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason) as raised:
        changes.create(replace(PAGES, **changed), HOURLY)  # type: ignore[arg-type]
    assert raised.value.field == field
    assert not PeriodicTask.objects.exists()


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        (Timing("Europe/Atlantis", crontab="* * * * *"), "timezone", "not known"),
        (Timing(), "kind", "give either"),
        (Timing(crontab="* * * * *", every=5), "kind", "give either"),
        (Timing(crontab="* * * *"), "crontab", "has 4 fields"),
        (Timing(crontab="61 * * * *"), "crontab", "61"),
        (Timing(crontab="x * * * *"), "crontab", "minute"),
        (Timing(crontab="0 0 30 2 *"), "crontab", "never|comes|[Dd]ay"),
        (Timing(every=5, period="seconds"), "every", "from 10 seconds"),
        (Timing(every=10**12, period="days"), "every", "too long"),
        (Timing(every=4000, period="days"), "every", "ten years"),
        (Timing(every=5, period="weeks"), "period", "must be one of"),
    ],
)
def test_a_wrong_timing_changes_nothing_and_is_told_by_its_field(
    given: Timing, field: str, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason) as raised:
        changes.create(PAGES, given)
    assert raised.value.field == field
    assert not PeriodicTask.objects.exists()


def test_a_moment_that_has_passed_is_refused() -> None:
    with pytest.raises(InvalidInput, match="has passed"):
        changes.create(PAGES, Timing(moment=clock.now() - HOUR))


def test_a_list_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "MOST_URLS", 30)
    with pytest.raises(InvalidInput, match="at most 30 bytes"):
        changes.create(PAGES, HOURLY)
    job = submit(["http://a.example/1", "http://a.example/2"]).job
    with pytest.raises(InvalidInput, match="more than 30 bytes"):
        template.urls_of(job.pk)


def test_the_urls_of_an_earlier_job_are_taken_as_they_are() -> None:
    job = submit(["http://a.example/1", "http://a.example/ü"]).job
    recurring = changes.create(replace(PAGES, urls=template.urls_of(job.pk)), HOURLY)
    changes.fire_now(recurring.pk)
    assert submit_due() == 1
    urls = [list(j.tasks.order_by("id").values_list("url")) for j in Job.objects.all()]
    assert urls[0] == urls[1]
    with pytest.raises(InvalidInput, match="no job 999"):
        template.urls_of(999)


def test_a_change_of_the_template_leaves_the_timing_alone(make: Make) -> None:
    recurring = make()
    before = PeriodicTask.objects.get()
    seen = PeriodicTasks.last_change()
    changes.change(recurring.pk, replace(PAGES, name="Others", overlap="kill"), HOURLY)
    assert PeriodicTasks.last_change() == seen
    assert PeriodicTask.objects.get().date_changed == before.date_changed
    changed = Recurring.objects.get()
    assert (changed.name, changed.overlap) == ("Others", "kill")


def test_a_change_of_the_timing_is_told_to_the_scheduler(make: Make) -> None:
    recurring = make()
    seen = PeriodicTasks.last_change()
    nightly = Timing("Europe/Berlin", crontab="30 2 * * *")
    changes.change(recurring.pk, PAGES, nightly)
    assert PeriodicTasks.last_change() > seen
    again = Recurring.objects.light().get()
    assert changes.timing_of(again) == nightly
    assert again.periodic_task.enabled


@pytest.mark.parametrize("minutes", [10, -10])
def test_an_editors_clock_decides_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    wrong = timedelta(minutes=minutes)
    monkeypatch.setattr(timezone, "now", lambda: datetime.now(UTC) + wrong)
    recurring = make()
    changes.pause(recurring.pk)
    before = clock.now()
    changes.resume(recurring.pk)
    changed = PeriodicTask.objects.get(pk=recurring.periodic_task_id).date_changed
    assert before <= changed <= clock.now()


def test_a_wrong_change_changes_nothing(make: Make) -> None:
    recurring = make()
    with pytest.raises(InvalidInput):
        changes.change(recurring.pk, replace(PAGES, name="Others"), Timing(crontab="x"))
    assert Recurring.objects.get().name == "Pages"
    assert changes.timing_of(Recurring.objects.get()) == HOURLY


def test_a_pause_has_a_reason_until_it_is_over(make: Make) -> None:
    recurring = make()
    assert changes.pause(recurring.pk, "holidays")
    assert not changes.pause(recurring.pk, "again")
    paused = Recurring.objects.get()
    assert (paused.paused, paused.pause_reason) == (True, "holidays")
    assert not paused.periodic_task.enabled
    changes.change(recurring.pk, PAGES, Timing(crontab="5 * * * *"))
    assert not PeriodicTask.objects.get().enabled, "an edit is no resumption"
    assert changes.resume(recurring.pk)
    assert not changes.resume(recurring.pk)
    resumed = Recurring.objects.get()
    assert (resumed.paused, resumed.pause_reason) == (False, "")
    assert resumed.periodic_task.enabled


def test_one_moment_that_has_fired_is_not_set_going_by_a_pause(make: Make) -> None:
    recurring = make(timing=Timing(moment=clock.now() + HOUR))
    changes.pause(recurring.pk)
    changes.resume(recurring.pk)
    assert PeriodicTask.objects.get().enabled
    Firing.objects.create(recurring=recurring, slot=clock.now())
    changes.pause(recurring.pk)
    changes.resume(recurring.pk)
    assert not PeriodicTask.objects.get().enabled


def test_it_is_removed_with_its_history_and_its_jobs_stay(make: Make) -> None:
    recurring = make()
    changes.fire_now(recurring.pk)
    submit_due()
    changes.delete(recurring.pk)
    assert not Recurring.objects.exists()
    assert not PeriodicTask.objects.exists()
    assert Job.objects.exists()
    with pytest.raises(InvalidInput, match="there is no recurring job"):
        changes.delete(recurring.pk)
