"""The page of a task: nothing from outside is obeyed, and nothing is hidden."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hashworld.nodes.models import Node
from hashworld.tasks.models import Blob, Host, Job, Kill, Task
from hashworld.tasks.states import State
from tests.integration.console.work import EVIL, HIDDEN, As, Made, MaxQueries, end, record

pytestmark = pytest.mark.django_db


def page(client: Client, task: Task) -> str:
    answer = client.get(reverse("admin:tasks_task_change", args=[task.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("column", ["title", "headers", "redirects", "detail", "error"])
def test_what_a_server_said_is_escaped(root: Client, fetched: Made, column: str) -> None:
    evil = EVIL[:24] if column == "error" else EVIL
    shown = page(root, fetched(**{column: evil}))
    assert evil not in shown
    assert "&lt;script&gt;" in shown


def test_a_url_is_escaped(root: Client, fetched: Made) -> None:
    task = fetched(final_url=f"https://example.com/{EVIL}")
    Task.objects.filter(pk=task.pk).update(url=f'https://example.com/">{EVIL}')
    assert EVIL not in page(root, task)
    listed = root.get(reverse("admin:tasks_task_changelist")).content.decode()
    assert EVIL not in listed


def test_a_body_is_text_and_never_a_page(root: Client, fetched: Made) -> None:
    shown = page(root, fetched(f"</pre>{EVIL}<svg onload=alert(1)>".encode()))
    assert EVIL not in shown
    assert "<svg onload" not in shown
    assert "&lt;/pre&gt;&lt;script&gt;" in shown


def test_what_turns_the_reading_is_named(root: Client, fetched: Made) -> None:
    shown = page(root, fetched(HIDDEN.encode(), title=HIDDEN))
    assert "\u202e" not in shown
    assert shown.count("⟨U+202E⟩") == 2


def test_a_body_is_read_in_its_own_charset(root: Client, fetched: Made) -> None:
    assert "Zürich" in page(root, fetched("Zürich".encode("latin-1"), charset="iso-8859-1"))


def test_of_a_long_body_the_beginning_is_shown(root: Client, fetched: Made) -> None:
    shown = page(root, fetched(b"a" * 150_000))
    assert "the first 100 KB of 150 KB" in shown
    assert "a" * 100_000 in shown
    assert "a" * 100_001 not in shown


def test_only_http_addresses_become_links(root: Client, fetched: Made) -> None:
    shown = page(root, fetched(final_url="javascript:alert(1)"))
    assert 'href="javascript:' not in shown
    link = 'href="https://example.com/page" rel="noopener noreferrer nofollow"'
    assert link in shown


def test_a_damaged_body_is_told_and_not_an_error(root: Client, fetched: Made) -> None:
    task = fetched()
    Blob.objects.all().delete()
    assert "The body cannot be read" in page(root, task)
    answer = root.get(reverse("admin:tasks_task_body", args=[task.pk]), follow=True)
    assert answer.status_code == 200
    assert "The body cannot be read" in answer.content.decode()


def test_a_download_is_a_file_that_no_browser_runs(root: Client, fetched: Made) -> None:
    task = fetched(EVIL.encode(), content_type="text/html")
    answer = root.get(reverse("admin:tasks_task_body", args=[task.pk]))
    assert answer.content == EVIL.encode()
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == f'attachment; filename="task-{task.pk}.bin"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Cache-Control"] == "private, no-store"


def test_a_body_is_for_those_who_may_see_contents(as_member: As, fetched: Made) -> None:
    task = fetched(b"secret of the house")
    nobody = as_member("nobody")
    user = User.objects.get(username="nobody-person")
    seen = ("view_task", "view_job", "view_any_job")
    user.user_permissions.set(Permission.objects.filter(codename__in=seen))
    assert "secret of the house" not in page(nobody, task)
    assert nobody.get(reverse("admin:tasks_task_body", args=[task.pk])).status_code == 403


def test_each_try_is_told_with_its_times(root: Client, job: Job, node: Node) -> None:
    task = job.tasks.first()
    end(task, State.RUNTIME_ERROR, error="server_error", status=503)
    record(task, node, error="connect_timeout", detail="nobody answered", dns_ms=5.0)
    record(task, node, number=2, error="server_error", status=503, first_byte_ms=40.0)
    shown = page(root, task)
    assert "nobody answered" in shown
    assert "name lookup 5 ms" in shown
    assert "first byte 40 ms" in shown
    assert shown.index('id="attempt-2"') < shown.index('id="attempt-1"')


def test_a_waiting_task_says_what_it_waits_for(root: Client, job: Job, node: Node) -> None:
    Host.objects.update(paused=True, pause_reason="asked to")
    shown = page(root, job.tasks.first())
    assert "Its host example.com is paused: asked to." in shown
    assert "Resume the host." in shown


def test_a_task_that_is_gone_is_told(root: Client) -> None:
    answer = root.get(reverse("admin:tasks_task_change", args=[999]), follow=True)
    assert "There is no task 999 (any more)." in answer.content.decode()


@pytest.mark.parametrize(
    ("verb", "before", "after", "told"),
    [
        ("kill", State.WAITING, State.KILLED, "Killed: 1 task."),
        ("kill", State.SUCCEED, State.SUCCEED, "Skipped 1 task that had already ended."),
        ("retry", State.RUNTIME_ERROR, State.WAITING, "Sent back to wait: 1 task."),
        ("retry", State.WAITING, State.WAITING, "Skipped 1 task that had not ended yet."),
    ],
)
def test_an_operator_moves_a_task(
    as_member: As, job: Job, verb: str, before: State, after: State, told: str
) -> None:
    task = job.tasks.first()
    if before != State.WAITING:
        end(task, before)
    answer = as_member("operator").post(
        reverse(f"admin:tasks_task_{verb}", args=[task.pk]), follow=True
    )
    assert told in answer.content.decode()
    task.refresh_from_db()
    assert task.state == after


def test_an_operator_deletes_a_task_that_has_ended(as_member: As, job: Job) -> None:
    waiting, ended, _ = job.tasks.all()
    end(ended, State.SUCCEED)
    operator = as_member("operator")
    for task in (waiting, ended):
        operator.post(reverse("admin:tasks_task_delete", args=[task.pk]))
    assert waiting in job.tasks.all()
    assert ended not in job.tasks.all()


def test_the_page_costs_a_few_queries(
    root: Client, fetched: Made, node: Node, django_assert_max_num_queries: MaxQueries
) -> None:
    task = fetched()
    for number in range(2, 12):
        record(task, node, number=number)
    with django_assert_max_num_queries(14):
        page(root, task)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({}, "its node has not confirmed yet"),
        ({"confirmed_at": timezone.now()}, "its node has cut it off"),
        ({"fenced_at": timezone.now()}, "its node lost the lease before it could confirm"),
    ],
)
def test_the_kill_of_a_try_is_told_as_far_as_it_has_come(
    root: Client, job: Job, node: Node, columns: dict[str, object], told: str
) -> None:
    task = job.tasks.first()
    attempt = record(task, node, error="killed")
    Kill.objects.create(
        task=task, number=1, lease=attempt.lease, asked_at=timezone.now(), **columns
    )
    end(task, State.KILLED)
    shown = page(root, task)
    assert "Kill asked" in shown
    assert told in shown
    assert shown.count("its node") == 1


def test_the_kill_of_what_was_never_tried_needs_no_confirmation(root: Client, job: Job) -> None:
    task = job.tasks.first()
    end(task, State.KILLED)
    assert "killed before it was tried, which needs no confirmation" in page(root, task)
