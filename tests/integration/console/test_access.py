"""Who may open what, and who may do what."""

import pytest
from django.test import Client
from django.urls import reverse

from hashworld.tasks.models import Host, Job, Task
from hashworld.tasks.states import State
from tests.integration.console.work import As, end

LISTS = [
    *("tasks_job", "tasks_task", "tasks_attempt", "tasks_content", "tasks_host", "tasks_lease"),
    *("nodes_node", "nodes_land", "nodes_leadership"),
]
MOVES = ("tasks_task_kill", "tasks_task_retry", "tasks_task_delete")
JOB_MOVES = ("tasks_job_kill", "tasks_job_retry", "tasks_job_delete")

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", [f"admin:{name}_changelist" for name in LISTS] + ["dashboard"])
def test_a_stranger_is_sent_to_sign_in(client: Client, name: str) -> None:
    answer = client.get(reverse(name))
    assert answer.status_code == 302
    assert "/login/" in answer["Location"]


@pytest.mark.parametrize("name", [*MOVES, "tasks_task_body", "tasks_task_change"])
def test_a_stranger_is_sent_to_sign_in_from_a_task(client: Client, job: Job, name: str) -> None:
    answer = client.post(reverse(f"admin:{name}", args=[job.tasks.first().pk]))
    assert answer.status_code == 302
    assert "/login/" in answer["Location"]


@pytest.mark.parametrize("name", LISTS)
def test_a_viewer_sees_every_list(as_member: As, name: str) -> None:
    assert as_member("viewer").get(reverse(f"admin:{name}_changelist")).status_code == 200


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize(("group", "status"), [("viewer", 403), ("submitter", 302)])
def test_only_an_operator_moves_the_tasks_of_others(
    as_member: As, job: Job, group: str, status: int, name: str
) -> None:
    task = job.tasks.first()
    end(task, State.RUNTIME_ERROR)
    answer = as_member(group).post(reverse(f"admin:{name}", args=[task.pk]))
    assert answer.status_code == status, "a submitter does not even know of it"
    task.refresh_from_db()
    assert task.state == State.RUNTIME_ERROR


@pytest.mark.parametrize("name", JOB_MOVES)
@pytest.mark.parametrize(("group", "status"), [("viewer", 403), ("submitter", 302)])
def test_only_an_operator_moves_the_jobs_of_others(
    as_member: As, job: Job, group: str, status: int, name: str
) -> None:
    answer = as_member(group).post(reverse(f"admin:{name}", args=[job.pk]))
    assert answer.status_code == status
    job.refresh_from_db()
    assert not job.wanted
    assert set(job.tasks.values_list("state", flat=True)) == {State.WAITING}


@pytest.mark.parametrize("action", ["kill_selected", "retry_selected", "delete_selected"])
def test_a_viewer_cannot_run_an_action_on_a_list(as_member: As, job: Job, action: str) -> None:
    chosen = list(job.tasks.values_list("pk", flat=True))
    data = {"action": action, "_selected_action": chosen}
    as_member("viewer").post(reverse("admin:tasks_task_changelist"), data)
    assert set(Task.objects.values_list("state", flat=True)) == {State.WAITING}


def test_a_viewer_is_offered_no_button(as_member: As, job: Job) -> None:
    viewer = as_member("viewer")
    for name, shown in (("tasks_job", job), ("tasks_task", job.tasks.first())):
        page = viewer.get(reverse(f"admin:{name}_change", args=[shown.pk])).content
        assert b'class="hw-acts"' in page
        assert b'method="post" action="/admin/tasks' not in page


def test_a_viewer_hands_in_no_job(as_member: As) -> None:
    viewer = as_member("viewer")
    assert viewer.get(reverse("admin:tasks_job_add")).status_code == 403
    answer = viewer.post(reverse("admin:tasks_job_add"), {"urls": "https://example.com/"})
    assert answer.status_code == 403
    assert not Job.objects.exists()


def test_a_viewer_changes_no_host(as_member: As, job: Job) -> None:
    host = Host.objects.get()
    viewer = as_member("viewer")
    viewer.post(reverse("admin:tasks_host_change", args=[host.pk]), {"paused": "on"})
    viewer.post(
        reverse("admin:tasks_host_changelist"), {"action": "pause", "_selected_action": [host.pk]}
    )
    assert not Host.objects.get().paused


@pytest.mark.parametrize("name", ["tasks_task", "tasks_attempt", "tasks_lease", "tasks_content"])
def test_nobody_adds_what_only_the_cluster_writes(root: Client, name: str) -> None:
    assert root.get(reverse(f"admin:{name}_add")).status_code == 403


@pytest.mark.parametrize("name", [*MOVES, *JOB_MOVES])
def test_a_link_moves_nothing(root: Client, job: Job, name: str) -> None:
    assert root.get(reverse(f"admin:{name}", args=[job.pk])).status_code == 405


def test_a_foreign_site_moves_nothing(root: Client, job: Job) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = root.cookies
    answer = strict.post(reverse("admin:tasks_job_kill", args=[job.pk]))
    assert answer.status_code == 403


def test_who_is_in_no_group_is_told_whom_to_ask(as_member: As) -> None:
    page = as_member("nobody").get(reverse("admin:index")).content.decode()
    assert "Ask an administrator" in page
