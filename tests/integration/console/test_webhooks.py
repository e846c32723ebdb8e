"""Webhooks in the admin: added, rotated, looked at, and sent again."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from hashworld.nodes import clock
from hashworld.verbs import webhooks as verbs
from hashworld.webhooks.models import Delivery, Message, State, Webhook
from tests.integration.console.work import As

pytestmark = pytest.mark.django_db
HOOKS, MESSAGES = (reverse(f"admin:webhooks_{name}_changelist") for name in ("webhook", "message"))
URL = "https://hooks.example/in"


@pytest.fixture
def browser(as_member: As) -> Client:
    return as_member("submitter")


@pytest.fixture
def hook(browser: Client) -> Webhook:
    return verbs.add(User.objects.get(), URL, ["job.finished"])[0]


@pytest.fixture
def message(hook: Webhook) -> Message:
    now = clock.now()
    made = Message.objects.create(
        webhook=hook,
        uid="msg_1",
        kind="job.finished",
        payload='{"a":"<b>"}',
        created_at=now,
        state=State.FAILED,
        tries=2,
    )
    Delivery.objects.create(
        message=made,
        number=1,
        at=now,
        status=500,
        answer="<script>no</script>",
        headers={"webhook-id": "msg_1"},
        seconds=0.2,
    )
    return made


def text(answer: object) -> str:
    return answer.content.decode()  # type: ignore[attr-defined, no-any-return]


def test_a_webhook_is_added_and_its_secret_shown_once(browser: Client) -> None:
    data = {"url": URL, "kinds": ["job.finished", "node.dead"], "job_id": ""}
    answer = browser.post(reverse("admin:webhooks_webhook_add"), data, follow=True)
    hook = Webhook.objects.get()
    assert (hook.url, hook.kinds, hook.owner.username) == (URL, data["kinds"], "submitter-person")
    assert hook.secret in text(answer)
    assert hook.secret not in text(browser.get(HOOKS))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"url": "ftp://x/"}, "is not allowed"),
        ({"kinds": []}, "This field is required"),
        ({"job_id": "17"}, "There is no job 17"),
    ],
)
def test_what_cannot_be_added_is_told_at_its_field(
    browser: Client, changes: dict[str, object], told: str
) -> None:
    data = {"url": URL, "kinds": ["job.finished"], "job_id": ""} | changes
    answer = browser.post(reverse("admin:webhooks_webhook_add"), data)
    assert answer.status_code == 200
    assert told in text(answer)
    assert not Webhook.objects.exists()


@pytest.mark.parametrize("action", ["rotate", "disable", "enable", "delete_selected"])
def test_actions_do_what_the_verbs_do(browser: Client, hook: Webhook, action: str) -> None:
    data = {"action": action, "_selected_action": [hook.pk], "post": "yes"}
    answer = browser.post(HOOKS, data, follow=True)
    assert answer.status_code == 200
    after = Webhook.objects.filter(pk=hook.pk).first()
    if action == "delete_selected":
        assert after is None
        return
    assert after is not None
    assert (after.secret != hook.secret) == (action == "rotate")
    assert (after.disabled_at is not None) == (action == "disable")
    if action == "rotate":
        assert after.secret in text(answer)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({}, "active"),
        ({"failing_since": clock.now}, "nothing was delivered since"),
        ({"disabled_at": clock.now, "disabled_reason": "it answered 410"}, "it answered 410, at"),
    ],
)
def test_its_page_tells_how_it_stands_and_leads_to_its_log(
    browser: Client, hook: Webhook, columns: dict[str, Any], told: str
) -> None:
    values = {name: value() if callable(value) else value for name, value in columns.items()}
    Webhook.objects.filter(pk=hook.pk).update(**values)
    page = text(browser.get(reverse("admin:webhooks_webhook_change", args=[hook.pk])))
    for shown in (URL, "job.finished", told, f"{MESSAGES}?webhook={hook.pk}"):
        assert shown in page
    assert hook.secret not in page


def test_the_log_shows_request_and_answer_as_text(browser: Client, message: Message) -> None:
    assert "msg_1" in text(browser.get(f"{MESSAGES}?webhook={message.webhook_id}"))
    page = text(browser.get(reverse("admin:webhooks_message_change", args=[message.pk])))
    assert "webhook-id: msg_1" in page
    assert "&lt;script&gt;no" in page
    assert "<script>no" not in page


def test_the_button_sends_it_again(browser: Client, message: Message) -> None:
    resend = reverse("admin:webhooks_message_resend", args=[message.pk])
    assert browser.get(resend).status_code == 405
    assert "sent again now" in text(browser.post(resend, follow=True))
    message.refresh_from_db()
    assert (message.state, message.tries) == (State.WAITING, 0)
    assert message.due_at is not None


def test_another_persons_webhooks_are_not_there(
    browser: Client, message: Message, as_member: As
) -> None:
    User.objects.filter(username="submitter-person").update(username="first")
    other = as_member("submitter")
    assert URL not in text(other.get(HOOKS))
    assert "msg_1" not in text(other.get(MESSAGES))
    page = other.get(reverse("admin:webhooks_message_change", args=[message.pk]))
    assert page.status_code == 302
    other.post(reverse("admin:webhooks_message_resend", args=[message.pk]))
    message.refresh_from_db()
    assert message.state == State.FAILED
    other.post(HOOKS, {"action": "disable", "_selected_action": [message.webhook_id]})
    assert Webhook.objects.get().disabled_at is None


def test_a_stranger_and_nobody_are_kept_out(client: Client, as_member: As) -> None:
    nobody = as_member("nobody")
    for page in (HOOKS, MESSAGES):
        assert client.get(page).status_code == 302
        assert nobody.get(page).status_code == 403


def test_the_sidebar_leads_there(browser: Client) -> None:
    page = text(browser.get(reverse("admin:index")))
    assert re.search(rf'href="{HOOKS}"', page)
