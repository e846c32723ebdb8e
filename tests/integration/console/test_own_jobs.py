"""A submitter in the admin: their own jobs are all there is, and these are theirs to act on."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from hashworld.nodes.models import Node
from hashworld.recurring.models import Recurring
from hashworld.tasks.models import Job
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import State
from hashworld.tasks.submit import submit
from hashworld.verbs.models import AuditEntry
from tests.integration.console.work import As, end, keep, record

pytestmark = pytest.mark.django_db

SECRET = "secret-project"


@pytest.fixture
def submitter(as_member: As) -> Client:
    return as_member("submitter")


@pytest.fixture
def own(submitter: Client) -> Job:
    owner = User.objects.get(username="submitter-person")
    return submit(["https://own.example/"], JobSpec(name="Own job"), owner).job


@pytest.fixture
def others(submitter: Client, node: Node) -> Job:
    """The job of somebody else, with a task that failed and one with a body."""
    owner = User.objects.create_user("somebody")
    urls = [f"https://{SECRET}.example/{n}" for n in range(2)]
    job = submit(urls, JobSpec(name=SECRET), owner).job
    first, second = job.tasks.order_by("id")
    end(first, State.RUNTIME_ERROR, status=500, error="http_status")
    second.job.refresh_from_db()
    kept = keep(b"their page")
    end(second, State.SUCCEED, status=200, content=kept)
    record(second, node, status=200, content=kept, title=SECRET)
    return job


PAGES = [
    *("index", "tasks_job_changelist", "tasks_task_changelist", "recurring_recurring_changelist"),
]


@pytest.mark.parametrize("name", PAGES)
def test_what_others_handed_in_is_nowhere(
    submitter: Client, own: Job, others: Job, name: str
) -> None:
    page = submitter.get(
        reverse(f"admin:{name}"), {"job": others.pk} if name == "tasks_task_changelist" else {}
    )
    assert page.status_code == 200
    assert SECRET not in page.content.decode()


def test_the_lists_in_which_all_work_is_mixed_are_not_for_them(
    submitter: Client, others: Job
) -> None:
    for name in ("tasks_attempt", "tasks_content", "tasks_lease"):
        assert submitter.get(reverse(f"admin:{name}_changelist")).status_code == 403


def test_the_pages_of_others_jobs_and_tasks_are_not_there(submitter: Client, others: Job) -> None:
    task = others.tasks.latest("id")
    for name, pk in (
        ("tasks_job_change", others.pk),
        ("tasks_task_change", task.pk),
        ("tasks_task_body", task.pk),
        ("tasks_job_progress", others.pk),
    ):
        answer = submitter.get(reverse(f"admin:{name}", args=[pk]))
        assert answer.status_code in (302, 286), name
        assert SECRET not in answer.content.decode()


def test_their_own_job_is_theirs_to_pause_kill_and_delete(submitter: Client, own: Job) -> None:
    page = submitter.get(reverse("admin:tasks_job_change", args=[own.pk])).content.decode()
    assert reverse("admin:tasks_job_kill", args=[own.pk]) in page
    submitter.post(reverse("admin:tasks_job_pause", args=[own.pk]), {"reason": "lunch"})
    own.refresh_from_db()
    assert own.paused
    submitter.post(reverse("admin:tasks_task_kill", args=[own.tasks.get().pk]))
    assert own.tasks.get().state == State.KILLED
    verbs = list(AuditEntry.objects.order_by("id").values_list("verb", "reason"))
    assert verbs == [("pause job", "lunch"), ("kill task", "")]


def test_a_list_of_others_is_not_taken_for_a_recurring_job(submitter: Client, others: Job) -> None:
    form = {"name": "Copy", "job": others.pk, "kind": "crontab", "crontab": "1 2 * * *"}
    options = {"priority": 1, "duplicates": "keep", "method": "GET", "max_attempts": 4}
    more = {"retry_base": 2, "retry_cap": 300, "timezone": "UTC", "overlap": "skip"}
    last = {"catch_up": "last", "window": 3600, "period": "minutes"}
    answer = submitter.post(
        reverse("admin:recurring_recurring_add"), {**form, **options, **more, **last}
    )
    assert "There is no job" in answer.content.decode()
    assert not Recurring.objects.exists()


def test_operators_read_the_audit_and_admins_set_quotas(as_member: As, submitter: Client) -> None:
    audit = reverse("admin:verbs_auditentry_changelist")
    assert submitter.get(audit).status_code == 403
    assert as_member("operator").get(audit).status_code == 200
    add = reverse("admin:tasks_quota_add")
    assert submitter.get(add).status_code == 403
    admin = as_member("admin")
    assert admin.get(add).status_code == 200
    owner = User.objects.get(username="submitter-person")
    admin.post(add, {"user": owner.pk, "daily": 5})
    assert owner.quota.daily == 5
