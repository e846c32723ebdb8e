"""django-celery-beat's pages."""

import pytest
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

pytestmark = pytest.mark.django_db
NAMES = ["periodictask", "crontabschedule", "intervalschedule", "clockedschedule"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("view", ["changelist", "add"])
def test_every_page_opens(root: Client, name: str, view: str) -> None:
    answer = root.get(reverse(f"admin:django_celery_beat_{name}_{view}"))
    assert answer.status_code == 200


def test_a_recurring_task_is_added_shown_and_switched_off(root: Client) -> None:
    every = IntervalSchedule.objects.create(every=5, period="minutes")
    form = {"name": "tidy", "task": "hashworld.tidy", "interval": every.pk, "enabled": "on"}
    form |= {"args": "[]", "kwargs": "{}", "headers": "{}"}
    answer = root.post(reverse("admin:django_celery_beat_periodictask_add"), form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    tidy = PeriodicTask.objects.get()
    opened = root.get(reverse("admin:django_celery_beat_periodictask_change", args=[tidy.pk]))
    assert opened.status_code == 200
    listing = reverse("admin:django_celery_beat_periodictask_changelist")
    assert "every 5 minutes" in root.get(listing).content.decode()
    seen = PeriodicTasks.last_change()
    root.post(listing, {"action": "disable_tasks", "_selected_action": [tidy.pk]})
    tidy.refresh_from_db()
    assert not tidy.enabled
    assert PeriodicTasks.last_change() > seen  # or beat would not look again for minutes


def test_a_crontab_shows_what_uses_it(root: Client) -> None:
    nightly = CrontabSchedule.objects.create(minute="0", hour="3")
    PeriodicTask.objects.create(name="nightly tidy", task="hashworld.tidy", crontab=nightly)
    page = root.get(reverse("admin:django_celery_beat_crontabschedule_change", args=[nightly.pk]))
    assert "nightly tidy" in page.content.decode()
