"""Messages reach their receivers signed, at least once, whatever receivers and senders do."""

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from standardwebhooks import Webhook as Standard

from hashworld.nodes import clock
from hashworld.tasks.events import Kind
from hashworld.tasks.models import Event
from hashworld.verbs import webhooks as verbs
from hashworld.verbs.errors import Conflict
from hashworld.webhooks import keeping
from hashworld.webhooks import sender as sending
from hashworld.webhooks.ladder import DELAYS
from hashworld.webhooks.models import Delivery, Message, State, Webhook
from hashworld.webhooks.sender import Sender
from tests.conftest import WaitUntil
from tests.integration.webhooks.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
PAYLOAD = '{"type":"job.finished","data":{"job":1}}'


def owe(hook: Webhook, **columns: Any) -> Message:
    now = clock.now()
    uid = f"msg_{Message.objects.count()}"
    made = {"kind": Kind.JOB_FINISHED, "payload": PAYLOAD, "created_at": now, "due_at": now}
    return Message.objects.create(webhook=hook, uid=uid, **made | columns)


def send(sender: Sender, wait_until: WaitUntil) -> None:
    """Send what is due, and record what is answered."""
    sender.run_once()

    def done() -> bool:
        sender.run_once()
        return not sender.under_way

    wait_until(done)


def due_now() -> None:
    Message.objects.filter(due_at__isnull=False).update(due_at=clock.now())


def test_a_receiver_with_the_public_library_takes_it(
    hook: Webhook, receiver: Receiver, sender: Sender, wait_until: WaitUntil
) -> None:
    message = owe(hook)
    send(sender, wait_until)
    (got,) = receiver.got
    assert Standard(hook.secret).verify(got.body, got.headers) == json.loads(PAYLOAD)
    assert got.headers["webhook-id"] == message.uid
    assert got.headers["content-type"] == "application/json"
    message.refresh_from_db()
    assert (message.state, message.tries, message.due_at) == (State.DELIVERED, 1, None)
    tried = Delivery.objects.get()
    assert (tried.number, tried.status, tried.error, tried.answer) == (1, 204, "", "")
    assert tried.headers["webhook-signature"] == got.headers["webhook-signature"]


def test_a_former_secret_signs_for_a_day(
    hook: Webhook, alice: User, receiver: Receiver, sender: Sender, wait_until: WaitUntil
) -> None:
    new = verbs.rotate(alice, hook.pk)
    owe(hook)
    send(sender, wait_until)
    for secret in (hook.secret, new):
        Standard(secret).verify(receiver.got[0].body, receiver.got[0].headers)
    Webhook.objects.update(former_until=clock.now() - timedelta(seconds=1))
    owe(hook)
    send(sender, wait_until)
    assert len(receiver.got[1].headers["webhook-signature"].split()) == 1
    Standard(new).verify(receiver.got[1].body, receiver.got[1].headers)


def test_a_receiver_that_fails_is_tried_again_under_the_same_id_and_a_new_time(
    hook: Webhook, receiver: Receiver, sender: Sender, wait_until: WaitUntil
) -> None:
    receiver.answers = [500, 503, 200]
    message = owe(hook)
    for tries, delay in enumerate(DELAYS[:2], 1):
        send(sender, wait_until)
        message.refresh_from_db()
        assert (message.state, message.tries) == (State.WAITING, tries)
        assert message.due_at is not None
        assert delay - 3 <= (message.due_at - clock.now()).total_seconds() <= delay * 1.1
        due_now()
    send(sender, wait_until)
    message.refresh_from_db()
    assert message.state == State.DELIVERED
    assert [tried.status for tried in message.deliveries.all()] == [500, 503, 200]
    assert {got.headers["webhook-id"] for got in receiver.got} == {message.uid}
    assert Webhook.objects.get().failing_since is None
    assert message.deliveries.first().answer == "thank you"  # type: ignore[union-attr]


def test_a_receiver_may_ask_for_time(
    hook: Webhook, receiver: Receiver, sender: Sender, wait_until: WaitUntil
) -> None:
    receiver.answers, receiver.headers = [429], {"Retry-After": "600"}
    message = owe(hook)
    send(sender, wait_until)
    message.refresh_from_db()
    assert message.due_at is not None
    assert message.due_at - clock.now() > timedelta(seconds=590)


def test_a_receiver_that_hangs_holds_up_nobody(
    hook: Webhook,
    receiver: Receiver,
    operator: User,
    wait_until: WaitUntil,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = dataclasses.replace(sending.LIMITS, first_byte_timeout=2)
    monkeypatch.setattr(sending, "LIMITS", limits)
    other = Receiver()
    ports = [receiver.port, other.port]
    settings.ENV = dataclasses.replace(settings.ENV, fetch_ports=ports)
    theirs = verbs.add(operator, other.url, [Kind.JOB_FINISHED])[0]
    receiver.hangs = True
    for _ in range(10):
        owe(hook)
    owe(theirs)
    sender = Sender()
    sender.start()
    try:
        for _ in range(3):
            sender.run_once()
        wait_until(lambda: other.got, timeout=10)
        assert sender.under_way <= sending.OF_ONE + 1
        wait_until(
            lambda: (
                sender.run_once() is not None
                and Delivery.objects.filter(error="first_byte_timeout").exists()
            ),
        )
    finally:
        receiver.let_go.set()
        sender.stop()
        other.stop()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_leads_nowhere(
    hook: Webhook, receiver: Receiver, sender: Sender, wait_until: WaitUntil, status: int
) -> None:
    receiver.answers, receiver.headers = [status], {"Location": f"{receiver.url}/elsewhere"}
    owe(hook)
    send(sender, wait_until)
    assert [got.path for got in receiver.got] == ["/hook"]
    assert (Delivery.objects.get().status, Message.objects.get().state) == (status, State.WAITING)


def test_no_address_is_sent_to_that_may_not_be_fetched(
    hook: Webhook, receiver: Receiver, settings: Any, wait_until: WaitUntil
) -> None:
    settings.ENV = dataclasses.replace(settings.ENV, fetch_allow_networks=[])
    sender = Sender()
    sender.start()
    owe(hook)
    send(sender, wait_until)
    sender.stop()
    assert receiver.got == []
    assert Delivery.objects.get().error == "address_denied"


def test_gone_disables_the_webhook_and_tells_its_owner(
    hook: Webhook, receiver: Receiver, sender: Sender, wait_until: WaitUntil
) -> None:
    receiver.answers = [410]
    owe(hook)
    later = owe(hook, due_at=clock.now() + timedelta(hours=1))
    send(sender, wait_until)
    hook.refresh_from_db()
    assert hook.disabled_at is not None
    assert hook.disabled_reason == "its receiver answered 410 Gone"
    later.refresh_from_db()
    assert (later.state, later.due_at) == (State.FAILED, None)
    told = Event.objects.get(kind=Kind.WEBHOOK_DISABLED)
    assert (told.owner_id, told.data["given_up"]) == (hook.owner_id, 1)
    owe(hook, due_at=None)
    send(sender, wait_until)
    assert len(receiver.got) == 1


def test_a_message_is_given_up_after_its_last_try(
    hook: Webhook, receiver: Receiver, sender: Sender, wait_until: WaitUntil
) -> None:
    receiver.answers = [500]
    message = owe(hook, tries=len(DELAYS))
    send(sender, wait_until)
    message.refresh_from_db()
    assert (message.state, message.due_at) == (State.FAILED, None)
    assert Webhook.objects.get().disabled_at is None


def test_days_of_failure_disable_the_webhook(
    hook: Webhook, receiver: Receiver, sender: Sender, wait_until: WaitUntil
) -> None:
    receiver.answers = [500]
    long_ago = clock.now() - sending.PATIENCE - timedelta(hours=1)
    Webhook.objects.update(failing_since=long_ago)
    owe(hook, tries=len(DELAYS))
    send(sender, wait_until)
    hook.refresh_from_db()
    assert hook.disabled_reason == "nothing could be delivered for 5 days"
    assert Event.objects.filter(kind=Kind.WEBHOOK_DISABLED).count() == 1


def test_a_sender_that_is_killed_before_it_records_delivers_again(
    hook: Webhook, receiver: Receiver, wait_until: WaitUntil
) -> None:
    message = owe(hook)
    killed, next_one = Sender(), Sender()
    killed.start()
    killed.run_once()
    wait_until(lambda: receiver.got)
    killed.stop()  # it never records
    next_one.start()
    assert next_one.run_once() == 0  # its claim still holds
    Message.objects.update(due_at=F("due_at") - timedelta(seconds=sending.CLAIM))
    send(next_one, wait_until)
    next_one.stop()
    assert [got.headers["webhook-id"] for got in receiver.got] == [message.uid] * 2
    message.refresh_from_db()
    assert message.state == State.DELIVERED


def test_an_answer_that_comes_after_the_claim_is_not_recorded(
    hook: Webhook, receiver: Receiver, sender: Sender, wait_until: WaitUntil
) -> None:
    owe(hook)
    sender.run_once()
    wait_until(lambda: receiver.got)
    Message.objects.update(claim="another's")
    send(sender, wait_until)
    assert not Delivery.objects.exists()
    assert Message.objects.get().state == State.WAITING


def test_of_two_senders_one_has_a_message(hook: Webhook) -> None:
    owe(hook)
    first, second = sending.claim(10), sending.claim(10)
    assert (len(first), len(second)) == (1, 0)


def test_a_message_is_sent_again_when_asked(
    hook: Webhook, alice: User, receiver: Receiver, sender: Sender, wait_until: WaitUntil
) -> None:
    message = owe(hook)
    send(sender, wait_until)
    verbs.resend(alice, message.pk)
    send(sender, wait_until)
    assert [got.headers["webhook-id"] for got in receiver.got] == [message.uid] * 2
    assert [tried.number for tried in message.deliveries.all()] == [1, 2]
    verbs.disable(alice, hook.pk)
    with pytest.raises(Conflict, match="enable it first"):
        verbs.resend(alice, message.pk)


def test_old_messages_go_with_their_deliveries(hook: Webhook) -> None:
    old = clock.now() - keeping.KEPT - timedelta(days=1)
    gone = owe(hook, created_at=old, state=State.DELIVERED, due_at=None)
    Delivery.objects.create(message=gone, number=1, at=old)
    waits, fresh = owe(hook, created_at=old), owe(hook)
    assert keeping.tidy(clock.now()) == 1
    assert set(Message.objects.all()) == {waits, fresh}
    assert not Delivery.objects.exists()
