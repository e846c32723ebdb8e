"""Webhooks and events over REST: the way of one from its making to its end."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from hashworld.api import tokens
from hashworld.nodes import clock
from hashworld.tasks import events
from hashworld.tasks.events import Kind
from hashworld.tasks.models import Job
from hashworld.verbs.rights import Scope
from hashworld.webhooks.models import Delivery, Message, State, Webhook

pytestmark = pytest.mark.django_db


class Caller:
    """Calls routes with a token of one person."""

    def __init__(self, user: User) -> None:
        self._secret = tokens.issue(user, "a test", [scope.value for scope in Scope])[1]

    def __call__(self, method: str, path: str, status: int = 200, body: Any = None) -> Any:
        answer = Client().generic(
            method,
            f"/api/v1{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers={"Authorization": f"Bearer {self._secret}"},
        )
        assert answer.status_code == status, answer.content
        return json.loads(answer.content) if answer.content else None


def test_a_webhook_from_its_making_to_its_end(alice: User, hers: Job) -> None:
    call = Caller(alice)
    wanted = {"url": "https://hooks.example/in", "kinds": ["job.finished"], "job": hers.pk}
    made = call("POST", "/webhooks", 201, wanted)
    assert made["secret"].startswith("whsec_")
    shown = {key: value for key, value in made.items() if key != "secret"}
    assert call("GET", "/webhooks") == [shown]
    where = f"/webhooks/{made['id']}"
    assert call("GET", where) == shown
    assert call("POST", f"{where}/rotate")["secret"] != made["secret"]
    assert (
        call("POST", f"{where}/disable", 200, {"reason": "moving"})["disabled_reason"] == "moving"
    )
    now = clock.now()
    hook = Webhook.objects.get()
    message = Message.objects.create(
        webhook=hook,
        uid="msg_1",
        kind="job.finished",
        payload="{}",
        created_at=now,
        state=State.FAILED,
    )
    Delivery.objects.create(message=message, number=1, at=now, status=500, answer="no")
    (told,) = call("GET", f"{where}/messages")["items"]
    assert (told["uid"], told["state"], told["deliveries"][0]["answer"]) == (
        "msg_1",
        "failed",
        "no",
    )
    call("POST", f"/messages/{message.pk}/resend", 409)
    assert call("POST", f"{where}/enable")["disabled_at"] is None
    assert call("POST", f"/messages/{message.pk}/resend", 202)["state"] == "waiting"
    call("DELETE", where, 204)
    call("GET", where, 404)


@pytest.mark.parametrize(
    ("changes", "field"), [({"url": "ftp://x/"}, "url"), ({"kinds": ["nonsense"]}, "kinds")]
)
def test_what_cannot_be_added_is_told_by_field(
    alice: User, changes: dict[str, Any], field: str
) -> None:
    wanted = {"url": "https://hooks.example/in", "kinds": ["job.finished"]} | changes
    problem = Caller(alice)("POST", "/webhooks", 422, wanted)
    assert problem["errors"][0]["field"] == field


def test_events_are_told_from_where_one_was(alice: User, hers: Job, his: Job) -> None:
    call = Caller(alice)
    before = events.tell(Kind.JOB_STARTED, "before", job=hers)
    events.tell(Kind.JOB_FINISHED, "another's", job=his)
    told = events.tell(Kind.JOB_FINISHED, "hers", job=hers)
    page = call("GET", f"/events?after={before.pk}&kind=job.")
    assert [event["text"] for event in page["items"]] == ["hers"]
    assert page["next"] == told.pk
    assert call("GET", f"/events?after={page['next']}")["items"] == []
    call("GET", f"/events?job={his.pk}", 404)
    call("GET", "/events?kind=nonsense", 422)
