"""Tasks, hosts, nodes and schedules over REST: the verbs under their addresses."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from hashworld.api.schemas import words
from hashworld.nodes.models import Node
from hashworld.tasks import moves
from hashworld.tasks.models import Host, Job
from hashworld.tasks.states import State
from tests.integration.api.conftest import Program
from tests.integration.console.work import end, record
from tests.integration.nodes.world import alive


@pytest.fixture
def client(as_: Program, operator: User) -> Client:
    """An operator's program."""
    return as_(operator)


@pytest.fixture
def node(db: None) -> Node:
    return alive("berlin-1")


def send(client: Client, method: str, path: str, body: Any = None) -> Any:
    data = json.dumps({} if body is None else body)
    return client.generic(method, f"/api/v1{path}", data, content_type="application/json")


def test_states_have_the_names_that_the_door_promises() -> None:
    assert {words.state_name(state) for state in State} == set(words.StateName.__args__)
    assert {words.state(name) for name in words.StateName.__args__} == set(State)


def test_tasks_are_listed_by_all_that_they_can_be_found_by(
    client: Client, hers: Job, his: Job, node: Node
) -> None:
    task = hers.tasks.earliest("id")
    end(task, State.RUNTIME_ERROR, status=503, error="http_status")
    query = "?state=runtime_error&state=killed&host=a.example&code=5&error=http_status"
    more = f"&job={hers.pk}&owner=alice&tag=nightly&since=2026-01-01T00:00:00Z"
    (found,) = send(client, "GET", f"/tasks{query}{more}").json()["items"]
    assert (found["id"], found["state"], found["status"]) == (task.pk, "runtime_error", 503)
    first = send(client, "GET", "/tasks?limit=3").json()
    rest = send(client, "GET", f"/tasks?limit=3&cursor={first['next']}").json()
    assert len({t["id"] for t in first["items"] + rest["items"]}) == 4


def test_a_task_tells_its_tries_and_why_it_does_not_run(
    client: Client, hers: Job, node: Node
) -> None:
    task = hers.tasks.earliest("id")
    record(task, node, status=503, error="http_status", detail="busy")
    (told,) = send(client, "GET", f"/tasks/{task.pk}/attempts").json()
    assert (told["node"], told["status"], told["detail"]) == ("berlin-1", 503, "busy")
    why = send(client, "GET", f"/tasks/{task.pk}/why").json()
    assert why["cause"]
    assert why["sentence"].endswith(".")


def test_tasks_are_killed_retried_and_deleted_by_number(client: Client, hers: Job) -> None:
    first, second, _ = hers.tasks.order_by("id").values_list("id", flat=True)
    moves.kill([first])
    told = send(client, "POST", "/tasks/kill", {"ids": [first, second, 9999]}).json()
    assert told == {"done": [second], "skipped": [first], "unknown": [9999]}
    assert send(client, "POST", "/tasks/retry", {"ids": [first]}).json()["done"] == [first]
    assert send(client, "POST", "/tasks/delete", {"ids": [second]}).json()["done"] == [second]
    assert send(client, "POST", "/tasks/kill", {"ids": []}).status_code == 422


def test_a_host_is_found_limited_paused_and_resumed(client: Client, hers: Job) -> None:
    names = [host["name"] for host in send(client, "GET", "/hosts?begins=a").json()["items"]]
    assert names == ["a.example"]
    changed = send(client, "PATCH", "/hosts/a.example", {"min_interval": 0.5}).json()
    assert changed["min_interval"] == 0.5
    assert send(client, "POST", "/hosts/a.example/pause", {"reason": "x"}).json()["changed"] == 1
    assert Host.objects.get(name="a.example").pause_reason == "x"
    assert send(client, "POST", "/hosts/a.example/resume").json()["changed"] == 1
    assert send(client, "GET", "/hosts/nowhere.example").status_code == 404


def test_a_node_is_listed_paused_and_not_drained_when_it_does_not_answer(
    client: Client, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    (told,) = send(client, "GET", "/nodes?standing=alive").json()
    assert (told["name"], told["standing"]) == ("berlin-1", "alive")
    assert send(client, "POST", "/nodes/berlin-1/pause").json()["paused"] is True
    assert send(client, "POST", "/nodes/berlin-1/unpause").json()["paused"] is False
    monkeypatch.setattr("hashworld.nodes.control.PATIENCE", 0.05)
    silent = send(client, "POST", "/nodes/berlin-1/drain")
    assert silent.status_code == 503
    assert silent["Retry-After"]
    assert "berlin-1" in silent.json()["detail"]


def test_the_cluster_is_paused_and_resumed(client: Client) -> None:
    assert send(client, "POST", "/cluster/pause", {"reason": "x"}).json()["paused_by"] == "oscar"
    assert send(client, "GET", "/cluster").json()["paused"] is True
    assert send(client, "POST", "/cluster/resume").json()["paused"] is False


def test_a_schedule_is_made_changed_fired_paused_and_deleted(client: Client) -> None:
    wanted: dict[str, Any] = {
        "name": "Nightly",
        "urls": ["https://example.com/"],
        "timing": {"timezone": "Europe/Berlin", "crontab": "30 2 * * *"},
        "options": {"priority": 2, "tags": ["nightly"]},
        "overlap": "queue",
    }
    made = send(client, "POST", "/schedules", wanted)
    assert made.status_code == 201, made.content
    path = f"/schedules/{made.json()['id']}"
    assert made.json()["timing"]["crontab"] == "30 2 * * *"
    changed = send(client, "PUT", path, {**wanted, "timing": {"every": 5}})
    assert changed.json()["timing"]["every"] == 5
    fired = send(client, "POST", f"{path}/fire").json()
    assert fired["state"] == "submitted"
    job = Job.objects.get(pk=fired["job"])
    assert job.priority == 2
    assert job.tags.get().name == "nightly"
    assert len(send(client, "GET", f"{path}/firings").json()) == 1
    assert send(client, "POST", f"{path}/pause", {"reason": "x"}).json()["paused"] is True
    assert send(client, "POST", f"{path}/resume").json()["paused"] is False
    assert send(client, "DELETE", path).status_code == 204
    assert send(client, "GET", path).status_code == 404
    refused = send(client, "POST", "/schedules", {**wanted, "timing": {"crontab": "30 2"}})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "crontab"
