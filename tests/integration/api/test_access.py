"""Every route as nobody, as another person, with an expired, a revoked and a wrong-scope token.

The routes are read from the API itself: one that is added without a rule makes these tests fail.
"""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from hashworld.api import tokens
from hashworld.api.door import BearerToken, Session
from hashworld.api.models import Token
from hashworld.api.rest import door
from hashworld.nodes import clock
from hashworld.recurring.models import Recurring
from hashworld.recurring.template import Template, Timing
from hashworld.tasks.models import Job
from hashworld.verbs import operations, schedules, webhooks
from hashworld.verbs.filters import TaskFilter
from hashworld.verbs.models import AuditEntry
from hashworld.verbs.rights import Scope
from hashworld.webhooks.models import Message
from tests.integration.api.conftest import Program, everything
from tests.integration.nodes.world import alive
from tests.integration.people import Member

ROUTES = {
    f"{method} {path}": operation
    for _, router in door._routers
    for path, view in router.path_operations.items()
    for operation in view.operations
    for method in operation.methods
}

WHY = {"reason": "test"}
SCHEDULE = {"name": "S", "urls": ["https://e.example/"], "timing": {"crontab": "30 2 * * *"}}
#: What is sent to the routes that take something.
BODIES: dict[str, Any] = {
    "POST /jobs": {"urls": ["https://example.com/"]},
    "POST /tasks/kill": {"ids": [1]},
    "POST /tasks/retry": {"ids": [1]},
    "POST /tasks/delete": {"ids": [1]},
    "PATCH /hosts/{name}": {"max_connections": 2},
    "POST /nodes/{name}/max_tasks": {"max_tasks": 5},
    "POST /schedules": SCHEDULE,
    "PUT /schedules/{schedule_id}": SCHEDULE,
    "POST /tokens": {"name": "t", "scopes": ["read"]},
    "POST /operations": {"verb": "kill", "where": {"job": 1}},
    "POST /webhooks": {"url": "https://hooks.example/", "kinds": ["job.finished"]},
}
#: What another submitter is answered who asks for Alice's, or for what only operators may:
#: a status, or, with 200, that nothing of hers is in the answer.
ANOTHER: dict[str, int] = {
    "POST /jobs": 201,
    "GET /jobs": 200,
    "GET /jobs/{job_id}": 404,
    "GET /jobs/{job_id}/results": 404,
    "GET /jobs/{job_id}/progress": 404,
    "GET /jobs/{job_id}/events": 404,
    "POST /jobs/{job_id}/kill": 404,
    "POST /jobs/{job_id}/retry": 404,
    "DELETE /jobs/{job_id}": 404,
    "POST /jobs/{job_id}/pause": 404,
    "POST /jobs/{job_id}/resume": 404,
    "GET /tasks": 200,
    "GET /tasks/{task_id}": 404,
    "GET /tasks/{task_id}/attempts": 404,
    "GET /tasks/{task_id}/why": 404,
    "GET /tasks/{task_id}/body": 404,
    "POST /tasks/kill": 200,
    "POST /tasks/retry": 200,
    "POST /tasks/delete": 200,
    "GET /hosts": 200,
    "GET /hosts/{name}": 200,
    "PATCH /hosts/{name}": 403,
    "POST /hosts/{name}/pause": 403,
    "POST /hosts/{name}/resume": 403,
    "GET /nodes": 200,
    "GET /nodes/{name}": 200,
    "POST /nodes/{name}/pause": 403,
    "POST /nodes/{name}/unpause": 403,
    "POST /nodes/{name}/drain": 403,
    "POST /nodes/{name}/resume": 403,
    "POST /nodes/{name}/max_tasks": 403,
    "GET /cluster": 200,
    "POST /cluster/pause": 403,
    "POST /cluster/resume": 403,
    "POST /operations": 202,
    "GET /operations": 200,
    "GET /operations/{operation_id}": 404,
    "DELETE /operations/{operation_id}": 404,
    "GET /schedules": 200,
    "POST /schedules": 201,
    "GET /schedules/{schedule_id}": 404,
    "PUT /schedules/{schedule_id}": 404,
    "GET /schedules/{schedule_id}/firings": 404,
    "POST /schedules/{schedule_id}/pause": 404,
    "POST /schedules/{schedule_id}/resume": 404,
    "POST /schedules/{schedule_id}/fire": 404,
    "DELETE /schedules/{schedule_id}": 404,
    "GET /tokens": 200,
    "POST /tokens": 201,
    "DELETE /tokens/{token_id}": 404,
    "GET /webhooks": 200,
    "POST /webhooks": 201,
    "GET /webhooks/{webhook_id}": 404,
    "DELETE /webhooks/{webhook_id}": 404,
    "POST /webhooks/{webhook_id}/rotate": 404,
    "POST /webhooks/{webhook_id}/enable": 404,
    "POST /webhooks/{webhook_id}/disable": 404,
    "GET /webhooks/{webhook_id}/messages": 404,
    "POST /messages/{message_id}/resend": 404,
    "GET /events": 200,
}
#: What whoever is in no group may do all the same: manage tokens, which open nothing.
HARMLESS = {"GET /tokens", "POST /tokens", "DELETE /tokens/{token_id}"}


@pytest.fixture
def world(alice: User, hers: Job) -> dict[str, Any]:
    """Alice's job, schedule and token, a node; the values of all paths' parameters."""
    alive("berlin-1")
    made = schedules.create(alice, Template("S", "https://e.example/"), Timing(crontab="1 2 * * *"))
    token, _ = tokens.issue(alice, "hers", ["read"])
    operation = operations.start(alice, "retry", TaskFilter(), "hers")
    task = hers.tasks.earliest("id")
    hook, _ = webhooks.add(alice, "https://hers.example/", ["job.finished"])
    now = clock.now()
    message = Message.objects.create(webhook=hook, uid="msg_hers", created_at=now, due_at=now)
    return {
        "job_id": hers.pk,
        "task_id": task.pk,
        "schedule_id": made.pk,
        "token_id": token.pk,
        "operation_id": operation.pk,
        "webhook_id": hook.pk,
        "message_id": message.pk,
    }


def ask(client: Client, route: str, world: dict[str, Any]) -> Any:
    method, path = route.split(" ")
    name = "berlin-1" if "/nodes/" in path else "a.example"
    where = "/api/v1" + path.format(name=name, **world)
    body = BODIES.get(route, WHY if method == "POST" else None)
    if body and "ids" in body:
        body = {"ids": [world["task_id"]]}
    data = json.dumps(body) if body is not None else ""
    return client.generic(method, where, data, content_type="application/json")


def test_every_route_has_a_rule() -> None:
    for route, operation in ROUTES.items():
        kinds = [type(rule) for rule in operation.auth_callbacks]
        assert kinds == [BearerToken, Session], f"open {route} for a verb"
    assert ROUTES.keys() == ANOTHER.keys(), "say what another person is answered"


def test_nobody_is_let_in(world: dict[str, Any]) -> None:
    before = AuditEntry.objects.count()
    stranger = Client()
    headers = ("Bearer", "Bearer hw_wrong", "Basic YTpi", "hw_wrong")
    guessers = {header: Client(headers={"Authorization": header}) for header in headers}
    for route in ROUTES:
        answer = ask(stranger, route, world)
        assert answer.status_code == 401, route
        assert answer["Content-Type"] == "application/problem+json"
        assert answer["WWW-Authenticate"].startswith("Bearer")
        for header, client in guessers.items():
            assert ask(client, route, world).status_code == 401, (route, header)
    assert AuditEntry.objects.count() == before


def test_an_expired_or_revoked_token_opens_nothing(world: dict[str, Any], person: Member) -> None:
    token, secret = tokens.issue(person("admin"), "old", list(Scope), timedelta(days=1))
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    now = clock.now()
    for columns in ({"expires_at": now}, {"expires_at": None, "revoked_at": now}):
        Token.objects.filter(pk=token.pk).update(**columns)
        for route in ROUTES:
            answer = ask(client, route, world)
            assert answer.status_code == 401, route
            assert "expired" in answer.json()["detail"] or "revoked" in answer.json()["detail"]


def test_a_token_without_the_scope_opens_nothing(
    world: dict[str, Any], person: Member, as_: Program
) -> None:
    admin = person("admin")
    without = {scope: as_(admin, *(other for other in Scope if other != scope)) for scope in Scope}
    for route, operation in ROUTES.items():
        needed = operation.auth_callbacks[0].scope
        answer = ask(without[needed], route, world)
        assert answer.status_code == 403, route
        assert needed in answer.json()["detail"]


def test_another_person_gets_nothing_of_hers(
    world: dict[str, Any], bob: User, as_: Program
) -> None:
    client = as_(bob)
    for route, status in ANOTHER.items():
        answer = ask(client, route, world)
        assert answer.status_code == status, (route, answer.content)
        if status == 200 and "tasks/" in route:
            assert answer.json() == {"done": [], "skipped": [], "unknown": [world["task_id"]]}
        elif status == 200:
            text = everything(answer).decode()
            for hers in ("alice", '"Hers"', "a.example/"):
                assert hers not in text, route


def test_whoever_is_in_no_group_is_refused(
    world: dict[str, Any], person: Member, as_: Program
) -> None:
    client = as_(person("nobody"))
    for route in ROUTES.keys() - HARMLESS:
        assert ask(client, route, world).status_code == 403, route


def test_nothing_of_alices_was_changed_by_any_of_it(
    world: dict[str, Any], bob: User, person: Member, as_: Program, hers: Job
) -> None:
    clients = [Client(), as_(bob), as_(person("viewer")), as_(person("nobody"))]
    for client in clients:
        for route in ROUTES:
            ask(client, route, world)
    hers.refresh_from_db()
    assert (hers.waiting, hers.wanted, hers.paused) == (3, "", False)
    assert Recurring.objects.filter(pk=world["schedule_id"], paused=False).exists()
    assert Token.objects.filter(pk=world["token_id"], revoked_at=None).exists()


def test_a_session_comes_in_and_its_writes_need_the_csrf_token(alice: User, hers: Job) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.get(f"/api/v1/jobs/{hers.pk}").status_code == 200
    where = f"/api/v1/jobs/{hers.pk}/pause"
    forged = client.post(where, "{}", content_type="application/json")
    assert forged.status_code == 403
    assert "CSRF" in forged.json()["detail"]
    hers.refresh_from_db()
    assert not hers.paused
    client.get("/admin/login/")
    client.cookies["csrftoken"] = token = "a" * 32
    good = client.post(where, "{}", content_type="application/json", headers={"X-CSRFToken": token})
    assert good.status_code == 200


def test_a_bad_token_is_refused_though_somebody_is_signed_in(alice: User, hers: Job) -> None:
    client = Client(headers={"Authorization": "Bearer hw_wrong"})
    client.force_login(alice)
    assert client.get(f"/api/v1/jobs/{hers.pk}").status_code == 401


def test_a_token_makes_only_tokens_that_may_no_more(alice: User, as_: Program) -> None:
    client = as_(alice, "admin", "read")
    refused = client.post(
        "/api/v1/tokens", {"name": "x", "scopes": ["operate"]}, content_type="application/json"
    )
    assert refused.status_code == 422
    made = client.post(
        "/api/v1/tokens",
        {"name": "x", "scopes": ["read"], "expires_in": 60},
        content_type="application/json",
    ).json()
    assert tokens.authenticate(made["secret"]).scopes == ["read"]
    listed = client.get("/api/v1/tokens").json()
    assert "secret" not in listed[0]
    assert client.delete(f"/api/v1/tokens/{made['id']}?reason=lost").json()["revoked_at"]
    with pytest.raises(tokens.BadToken):
        tokens.authenticate(made["secret"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nowhere", 404),
        ("GET", "/api/", 404),
        ("PUT", "/api/v1/jobs", 405),
        ("GET", "/api/v1/jobs/abc", 422),
        ("GET", "/api/v1/jobs/0", 422),
        ("GET", "/api/v1/jobs/99999999999999999999", 422),
    ],
)
def test_what_is_not_there_is_a_problem_document_too(
    as_: Program, alice: User, method: str, path: str, status: int
) -> None:
    answer = as_(alice).generic(method, path)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    if status == 405:
        assert "GET" in answer["Allow"]


def test_the_api_describes_itself(db: None) -> None:
    document = Client().get("/api/v1/openapi.json").json()
    for path in {route.split(" ")[1] for route in ROUTES}:
        operations = document["paths"][f"/api/v1{path}"]
        for operation in operations.values():
            assert operation["security"]
            assert "application/problem+json" in operation["responses"]["401"]["content"]
