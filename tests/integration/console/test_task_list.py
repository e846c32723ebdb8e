"""The list of tasks: found by index, never counted, and moved in sets."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from hashworld.console.admin.hosts import HostAdmin
from hashworld.tasks.models import Job, Task
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import State
from hashworld.tasks.submit import submit
from tests.integration.console.work import As, MaxQueries, end

pytestmark = pytest.mark.django_db
LIST = "/admin/tasks/task/"


@pytest.fixture
def many(db: None) -> Job:
    """More tasks than a page shows."""
    urls = [f"https://{name}.example/{n}" for n in range(40) for name in ("left", "right")]
    return submit(urls, JobSpec(name="Many")).job


def found(client: Client, query: str) -> set[int]:
    answer = client.get(f"{LIST}?{query}")
    assert answer.status_code == 200
    return {task.pk for task in answer.context["cl"].result_list}


def test_a_task_is_found_by_its_number(root: Client, many: Job) -> None:
    task = many.tasks.all()[33]
    assert found(root, f"q={task.pk}") == {task.pk}
    assert found(root, f"q=%23{task.pk}") == {task.pk}


def test_a_task_is_found_by_its_url_however_it_is_written(root: Client, many: Job) -> None:
    task = many.tasks.get(url="https://left.example/7")
    assert found(root, "q=HTTPS://Left.Example:443/7%23part") == {task.pk}
    assert found(root, "q=left.example/7") == {task.pk}


def test_tasks_are_found_by_their_host(root: Client, many: Job) -> None:
    every = set(many.tasks.filter(host__name="left.example").values_list("pk", flat=True))
    assert found(root, "q=Left.example") == every


@pytest.mark.parametrize(
    "text", ["nowhere.example", "https://", "https://left.example/999", "9" * 30]
)
def test_what_is_nowhere_is_not_found(root: Client, many: Job, text: str) -> None:
    assert found(root, f"q={text}") == set()


def test_states_and_jobs_narrow_the_list(root: Client, many: Job, job: Job) -> None:
    task = job.tasks.first()
    end(task, State.RUNTIME_ERROR)
    assert found(root, "state=3") == {task.pk}
    assert found(root, f"job={job.pk}&state=0") == {t.pk for t in job.tasks.exclude(pk=task.pk)}
    assert found(root, f"job={job.pk}&state=4") == set()


def test_a_page_leads_to_the_next_while_there_is_one(root: Client, many: Job) -> None:
    first = root.get(LIST).content.decode()
    assert 'rel="next"' in first
    assert 'rel="prev"' not in first
    second = root.get(f"{LIST}?p=2").content.decode()
    assert 'rel="next"' not in second
    assert 'rel="prev"' in second
    assert len(found(root, "")) == 50
    assert len(found(root, "p=2")) == 30


def test_nobody_pages_through_a_whole_table(root: Client, many: Job) -> None:
    answer = root.get(f"{LIST}?p=100000")
    assert answer.status_code == 302


def test_nothing_is_counted(root: Client, many: Job) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        for name in ("task", "attempt", "content", "host", "lease"):
            assert root.get(f"/admin/tasks/{name}/").status_code == 200
    assert not [query["sql"] for query in queries if "COUNT(" in query["sql"].upper()]


@pytest.mark.parametrize("query", ["url__contains=7", "status=200", "finished_at__gt=2020-01-01"])
def test_a_condition_without_an_index_is_refused(root: Client, query: str) -> None:
    assert root.get(f"{LIST}?{query}").status_code == 400


@pytest.mark.parametrize(
    "query", ["", "state=0", "job={job}", "job={job}&state=0", "q=left.example"]
)
def test_no_filter_sorts_or_scans(root: Client, many: Job, query: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("reads SQLite's query plan")
    asked = query.format(job=many.pk)
    root.get(f"{LIST}?{asked}&o=2.3")
    with CaptureQueriesContext(connection) as queries:
        root.get(f"{LIST}?{asked}&o=2.3")
    listing = [q["sql"] for q in queries if 'FROM "tasks_task"' in q["sql"]]
    assert listing
    for sql in listing:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = [row[3] for row in cursor.fetchall()]
        sorts = "USE TEMP B-TREE" in " ".join(plan) and '"id" IN' not in sql
        assert not sorts, (sql, plan)
        assert query == "" or not any(step.startswith("SCAN") for step in plan), (sql, plan)


def test_a_page_costs_a_few_queries_however_long_it_is(
    root: Client, many: Job, django_assert_max_num_queries: MaxQueries
) -> None:
    with django_assert_max_num_queries(8):
        root.get(LIST)
    with django_assert_max_num_queries(9):
        root.get(f"{LIST}?job={many.pk}&state=0")


def test_no_column_sorts_not_even_one_that_could(
    root: Client, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HostAdmin, "list_display", ("pause_reason",))
    answer = root.get("/admin/tasks/host/?o=1")
    assert answer.context["cl"].queryset.query.order_by == ("name",)


def act(client: Client, action: str, tasks: list[Task], **data: object) -> str:
    chosen = [task.pk for task in tasks]
    form = {"action": action, "_selected_action": chosen, **data}
    return client.post(LIST, form, follow=True).content.decode()


def test_an_action_tells_how_many_it_moved_and_skipped(as_member: As, job: Job) -> None:
    operator = as_member("operator")
    tasks = list(job.tasks.all())
    end(tasks[0], State.SUCCEED)
    told = act(operator, "kill_selected", tasks)
    assert "Killed: 2 tasks. Skipped 1 task that had already ended." in told
    told = act(operator, "retry_selected", tasks[:1])
    assert "Sent back to wait: 1 task." in told
    told = act(operator, "delete_selected", tasks)
    assert "Deleted: 2 tasks. Skipped 1 task that had not ended yet: kill them first." in told
    assert [task.pk for task in Task.objects.all()] == [tasks[0].pk]


def test_an_action_never_takes_more_than_a_page(as_member: As, many: Job) -> None:
    told = act(as_member("operator"), "kill_selected", list(many.tasks.all()[:1]), select_across=1)
    assert "Killed: 50 tasks." in told
    assert many.tasks.filter(state=State.WAITING).count() == 30


def test_the_tabs_count_within_a_job(root: Client, job: Job) -> None:
    page = root.get(f"{LIST}?job={job.pk}").content.decode()
    assert "waiting <b>3</b>" in page
    assert reverse("admin:tasks_task_changelist") == LIST
