"""The page of a job."""

from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from hashworld.tasks import pursuit
from hashworld.tasks.models import Job
from hashworld.tasks.states import State
from tests.integration.console.work import EVIL, As, MaxQueries, end

pytestmark = pytest.mark.django_db


def page(client: Client, job: Job) -> str:
    return client.get(reverse("admin:tasks_job_change", args=[job.pk])).content.decode()


def act(client: Client, job: Job, verb: str, **data: str) -> str:
    url = reverse(f"admin:tasks_job_{verb}", args=[job.pk])
    return client.post(url, data, follow=True).content.decode()


def test_counts_lead_to_the_tasks_in_that_state(root: Client, job: Job) -> None:
    end(job.tasks.first(), State.RUNTIME_ERROR, error="dns")
    shown = page(root, job)
    assert f'href="/admin/tasks/task/?job={job.pk}&amp;state=3"' in shown
    assert "1 of 3 tasks at their end" in shown
    assert "Of 1 failure:" in shown


def test_names_and_urls_are_escaped(root: Client, job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(name=EVIL, headers={"X": EVIL})
    job.tasks.update(url=f"https://example.com/{EVIL}")
    end(job.tasks.first(), State.RUNTIME_ERROR, error=EVIL[:24])
    job.refresh_from_db()
    for address in (
        reverse("admin:tasks_job_change", args=[job.pk]),
        reverse("admin:tasks_job_changelist"),
        reverse("admin:tasks_task_changelist"),
        reverse("admin:index"),
    ):
        assert EVIL[:24] not in root.get(address).content.decode()


def test_a_running_job_asks_for_itself_until_it_is_finished(root: Client, job: Job) -> None:
    part = reverse("admin:tasks_job_progress", args=[job.pk])
    assert "every 3s" in root.get(part).content.decode()
    for task in job.tasks.all():
        task.job.refresh_from_db()
        end(task, State.SUCCEED)
    finished = root.get(part).content.decode()
    assert "every 3s" not in finished
    assert "100 %" in finished


def test_the_day_of_its_removal_is_shown(root: Client, job: Job) -> None:
    assert "never: it is kept for ever" in page(root, job)
    Job.objects.update(keep_days=30)
    assert "30 days after its end (as the job says)" in page(root, job)
    Job.objects.update(finished_at=datetime(2026, 11, 21, tzinfo=UTC))
    assert "2026-12-21: 30 days after its end (as the job says)" in page(root, job)


def test_an_operator_kills_and_retries_a_job(as_member: As, job: Job) -> None:
    operator = as_member("operator")
    end(job.tasks.first(), State.RUNTIME_ERROR)
    assert "Its tasks are being killed." in (shown := act(operator, job, "kill"))
    assert ">being killed</span>" in shown
    assert "is being killed since" in act(operator, job, "retry")
    pursuit.carry_out_all()
    assert job.tasks.filter(state=State.KILLED).count() == 2
    assert "Its failed tasks are being sent back" in act(operator, job, "retry")
    pursuit.carry_out_all()
    assert "Its killed tasks are being sent back" in act(operator, job, "retry", state="killed")
    pursuit.carry_out_all()
    assert job.tasks.filter(state=State.WAITING).count() == 3
    told = " ".join(LogEntry.objects.values_list("change_message", flat=True))
    assert "Asked to kill." in told
    assert "Asked to retry killed." in told


def test_an_operator_pauses_a_job_with_a_reason_and_resumes_it(as_member: As, job: Job) -> None:
    operator = as_member("operator")
    assert "Paused." in (shown := act(operator, job, "pause", reason=f"legal {EVIL}"))
    assert "paused: legal &lt;script&gt;" in shown
    assert "paused: legal" in operator.get(reverse("admin:tasks_job_changelist")).content.decode()
    assert "It was paused already." in act(operator, job, "pause")
    assert "longer than 200 characters" in act(operator, job, "pause", reason="x" * 201)
    assert "Resumed." in (shown := act(operator, job, "resume"))
    assert ">running</span>" in shown


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_who_may_not_pause_a_job_is_refused(as_member: As, job: Job, verb: str) -> None:
    url = reverse(f"admin:tasks_job_{verb}", args=[job.pk])
    assert as_member("viewer").post(url).status_code == 403
    assert as_member("submitter").post(url).status_code == 302, "it is not there for them"
    job.refresh_from_db()
    assert not job.paused


def test_a_job_is_deleted_once_it_has_ended(as_member: As, job: Job) -> None:
    operator = as_member("operator")
    assert "kill it first" in act(operator, job, "delete")
    act(operator, job, "kill")
    pursuit.carry_out_all()
    assert "It is being deleted." in act(operator, job, "delete")
    pursuit.carry_out_all()
    assert not Job.objects.exists()


def test_the_page_costs_a_few_queries(
    root: Client, job: Job, django_assert_max_num_queries: MaxQueries
) -> None:
    end(job.tasks.first(), State.RUNTIME_ERROR, error="dns")
    with django_assert_max_num_queries(9):
        page(root, job)


def test_the_list_costs_a_few_queries(
    root: Client, job: Job, django_assert_max_num_queries: MaxQueries
) -> None:
    Job.objects.bulk_create(
        Job(name=f"n{n}", created_at=job.created_at, touched_at=job.created_at) for n in range(40)
    )
    with django_assert_max_num_queries(7):
        root.get(reverse("admin:tasks_job_changelist"))


def test_a_job_is_found_by_name_and_number(root: Client, job: Job) -> None:
    for query in ("thr", str(job.pk), f"%23{job.pk}"):
        answer = root.get(f"{reverse('admin:tasks_job_changelist')}?q={query}")
        assert [found.pk for found in answer.context["cl"].result_list] == [job.pk]
