"""Recurring jobs: the form, the list, the page, and what can be done there."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import PeriodicTask

from hashworld.recurring import changes
from hashworld.recurring.models import Firing, FiringState, Recurring
from hashworld.recurring.template import Template, Timing
from hashworld.tasks.models import Job
from hashworld.tasks.submit import submit
from tests.integration.console.work import EVIL, As, MaxQueries

pytestmark = pytest.mark.django_db
FORM = {
    **{"name": "Nightly", "urls": "https://example.com/a\r\nhttps://example.com/b\r\n"},
    **{"priority": "2", "duplicates": "keep", "method": "GET", "verify_tls": "on"},
    **{"max_attempts": "4", "retry_base": "2", "retry_cap": "300"},
    **{"kind": "crontab", "crontab": "30 2 * * *", "period": "minutes"},
    **{"timezone": "Europe/Berlin", "overlap": "queue", "catch_up": "all", "window": "7200"},
}


def address(verb: str, *args: object) -> str:
    return reverse(f"admin:recurring_recurring_{verb}", args=args)


def make(owner: User | None = None, **columns: object) -> Recurring:
    template = Template("Pages", "https://example.com/", **columns)  # type: ignore[arg-type]
    return changes.create(template, Timing("Europe/Berlin", crontab="30 2 * * *"), owner)


def text(client: Client, verb: str, *args: object) -> str:
    answer = client.get(address(verb, *args))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_submitter_makes_one_and_sees_its_next_five_firings(as_member: As) -> None:
    client = as_member("submitter")
    answer = client.post(address("add"), FORM, follow=True)
    page = answer.content.decode()
    assert "Made: Nightly." in page
    assert page.count("02:30:00 CE") + page.count("03:30:00 CEST") == 5
    assert "all within the window of 2 h" in page
    made = Recurring.objects.get()
    assert made.owner
    assert made.owner.username == "submitter-person"
    assert (made.options["priority"], made.overlap, made.window) == (2, "queue", 7200)
    assert changes.timing_of(made) == Timing("Europe/Berlin", crontab="30 2 * * *")


def test_a_file_or_an_earlier_job_gives_the_urls(root: Client) -> None:
    upload = SimpleUploadedFile("urls.txt", b"\xef\xbb\xbfhttps://example.com/file\n")
    root.post(address("add"), {**FORM, "urls": "", "file": upload})
    job = submit(["https://example.com/x", "https://example.com/y"]).job
    root.post(address("add"), {**FORM, "urls": "", "job": job.pk})
    urls = [recurring.urls for recurring in Recurring.objects.order_by("pk")]
    assert urls == ["https://example.com/file\n", "https://example.com/x\nhttps://example.com/y"]


def test_an_interval_and_a_moment_by_the_clocks_of_the_zone(root: Client) -> None:
    root.post(address("add"), {**FORM, "kind": "interval", "every": "90", "period": "seconds"})
    root.post(address("add"), {**FORM, "kind": "moment", "moment": "2090-07-01T12:00"})
    moment, interval = Recurring.objects.order_by("-pk")
    assert changes.timing_of(interval) == Timing("Europe/Berlin", every=90, period="seconds")
    noon = datetime(2090, 7, 1, 12, tzinfo=moment.zone)
    assert changes.timing_of(moment).moment == noon.astimezone(UTC)


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"name": ""}, "name", "required"),
        ({"urls": " "}, "urls", "Paste at least one URL"),
        ({"job": "7"}, "urls", "one of them"),
        ({"urls": "", "job": "7"}, "job", "There is no job 7"),
        ({"urls": "https://a.example/\nftp://b/"}, "urls", "scheme &#x27;ftp&#x27; is not allowed"),
        ({"headers": '{"Host": "x"}'}, "headers", "set by the engine"),
        ({"limits": '{"total_time": 3}'}, "limits", "Total_time is no limit"),
        ({"max_attempts": "0"}, "max_attempts", "Must be from 1 to 20"),
        ({"body": "x"}, "body", "Goes with POST only"),
        ({"crontab": ""}, "crontab", "Give the five fields"),
        ({"crontab": "61 * * * *"}, "crontab", "61"),
        ({"kind": "interval"}, "every", "Give a number"),
        ({"kind": "interval", "every": "1", "period": "seconds"}, "every", "from 10 seconds"),
        ({"kind": "moment", "moment": "2020-01-01T00:00"}, "moment", "Has passed"),
        ({"timezone": "Europe/Atlantis"}, "timezone", "valid choice"),
        ({"window": "-1"}, "window", "from 0"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_changes_nothing(
    root: Client, changed: dict[str, str], field: str, reason: str
) -> None:
    answer = root.post(address("add"), {**FORM, **changed})
    assert reason in str(answer.context["form"].errors[field])
    assert not PeriodicTask.objects.exists()


def test_the_form_shows_what_is_there_and_an_empty_list_keeps_it(root: Client) -> None:
    recurring = make(options={"priority": 0})
    initial = root.get(address("edit", recurring.pk)).context["form"].initial
    assert (initial["crontab"], initial["timezone"]) == ("30 2 * * *", "Europe/Berlin")
    assert (initial["urls"], initial["priority"]) == ("https://example.com/", 0)
    root.post(address("edit", recurring.pk), {**FORM, "urls": "", "crontab": "5 4 * * *"})
    changed = Recurring.objects.get()
    assert (changed.name, changed.urls) == ("Nightly", "https://example.com/")
    assert changes.timing_of(changed).crontab == "5 4 * * *"


def test_it_is_paused_with_a_reason_and_resumed(root: Client) -> None:
    recurring = make()
    root.post(address("pause", recurring.pk), {"reason": EVIL})
    page = text(root, "change", recurring.pk)
    assert "Paused: " in page
    assert EVIL not in page
    assert "if it were not paused" in page
    root.post(address("resume", recurring.pk))
    assert not Recurring.objects.get().paused


def test_it_is_fired_by_hand_and_its_history_tells(root: Client) -> None:
    recurring = make(overlap="skip")
    answer = root.post(address("fire", recurring.pk), follow=True)
    job = Job.objects.get()
    page = answer.content.decode()
    assert f"Submitted job #{job.pk}." in page
    assert "by hand" in page
    page = root.post(address("fire", recurring.pk), follow=True).content.decode()
    assert "Not submitted: the job before it was not finished." in page
    assert [f.state for f in Firing.objects.all()] == [FiringState.SKIPPED, FiringState.SUBMITTED]


def test_a_deleted_job_stays_in_the_history(root: Client) -> None:
    recurring = make()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    Firing.objects.create(recurring=recurring, slot=now, state="submitted", job_id=4711)
    assert "#4711, deleted" in text(root, "change", recurring.pk)


def test_it_is_deleted_and_its_periodic_task_with_it(root: Client) -> None:
    recurring = make()
    root.post(address("delete", recurring.pk))
    assert not Recurring.objects.exists()
    assert not PeriodicTask.objects.exists()


def test_the_list_tells_what_comes_next_and_what_came_last(
    root: Client, django_assert_max_num_queries: MaxQueries
) -> None:
    fired, paused = make(), make()
    root.post(address("fire", fired.pk))
    changes.pause(paused.pk, "holidays")
    page = text(root, "changelist")
    assert "02:30" in page
    assert "holidays" in page
    assert f">#{Job.objects.get().pk}</a>" in page
    for _ in range(10):
        make()
    with django_assert_max_num_queries(12):
        text(root, "changelist")


def test_several_are_paused_resumed_and_fired_from_the_list(root: Client) -> None:
    chosen = [make().pk, make().pk]
    for action, told in (
        ("pause_many", "Paused: 2 of 2."),
        ("pause_many", "Paused: 0 of 2. Skipped 2: paused already."),
        ("resume_many", "Resumed: 2 of 2."),
        ("fire_many", "Pages: Submitted job #"),
    ):
        data = {"action": action, "_selected_action": chosen}
        page = root.post(address("changelist"), data, follow=True).content.decode()
        assert told in page
    assert Job.objects.count() == 2


@pytest.mark.parametrize("verb", ["pause", "resume", "fire", "delete", "edit"])
def test_only_its_owner_and_operators_change_it(as_member: As, verb: str) -> None:
    submitter = as_member("submitter")
    own = make(User.objects.get(username="submitter-person"))
    others = make()
    unknown = submitter.post(address(verb, others.pk), follow=True)
    assert "There is no recurring job" in unknown.content.decode()
    assert as_member("viewer").post(address(verb, own.pk)).status_code == 403
    assert submitter.post(address(verb, own.pk)).status_code in (200, 302)
    assert as_member("operator").post(address(verb, others.pk)).status_code in (200, 302)


def test_a_viewer_looks_and_is_offered_nothing_to_change(as_member: As) -> None:
    recurring = make()
    viewer = as_member("viewer")
    page = text(viewer, "change", recurring.pk)
    assert "Next firings" in page
    assert "Fire now" not in page
    assert "Pause" not in page
    assert viewer.get(address("add")).status_code == 403
    assert as_member("nobody").get(address("change", recurring.pk)).status_code == 403
    listing = viewer.post(
        address("changelist"), {"action": "pause_many", "_selected_action": [recurring.pk]}
    )
    assert listing.status_code in (200, 302, 403)
    assert not Recurring.objects.get().paused


def test_one_that_is_gone_leads_back_to_the_list(root: Client) -> None:
    for verb in ("change", "edit"):
        answer = root.get(address(verb, 999), follow=True)
        assert "There is no recurring job 999 (any more)." in answer.content.decode()


def test_the_periodic_tasks_of_recurring_jobs_are_not_listed_twice(root: Client) -> None:
    recurring = make()
    listing = reverse("admin:django_celery_beat_periodictask_changelist")
    assert f"recurring job {recurring.pk}" not in root.get(listing).content.decode()
