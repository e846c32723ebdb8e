"""Webhooks and events over REST."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.params import functions
from pydantic import Field

from hashworld.api.door import opened, user
from hashworld.api.schemas.words import Id, In, Why, Word
from hashworld.tasks.models import Event
from hashworld.verbs import events, paging
from hashworld.verbs import webhooks as verbs
from hashworld.webhooks.models import Delivery, Message, Webhook

router = Router(tags=["webhooks"])

Number = Annotated[int, Field(ge=0, le=2**63 - 1)]


class WebhookIn(In):
    """A webhook to be added; its events are named as in the documentation."""

    url: Annotated[Word, Field(max_length=2048)]
    kinds: Annotated[list[Word], Field(min_length=1, max_length=20)]
    job: Id | None = Field(None, description="Of this job alone; of all that is yours without.")


class WebhookOut(Schema):
    """A webhook without its secret."""

    id: int
    owner: str
    url: str
    kinds: list[str]
    job: int | None
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str

    @classmethod
    def of(cls, hook: Webhook) -> "WebhookOut":
        """A webhook as it is told."""
        told = "id url kinds created_at failing_since disabled_at disabled_reason".split()
        values: dict[str, Any] = {name: getattr(hook, name) for name in told}
        return cls(owner=hook.owner.get_username(), job=hook.job_id, **values)


class WebhookMade(WebhookOut):
    """A new webhook; its secret is shown this once."""

    secret: str


class Rotated(Schema):
    """A new secret; the former signs beside it for a day."""

    secret: str


class DeliveryOut(Schema):
    """One try: what was sent and what was answered."""

    number: int
    at: datetime
    headers: dict[str, str]
    status: int | None
    error: str
    detail: str
    answer: str
    seconds: float

    @classmethod
    def of(cls, tried: Delivery) -> "DeliveryOut":
        """A try as it is told."""
        return cls(**{name: getattr(tried, name) for name in cls.model_fields})


class MessageOut(Schema):
    """A message, and every try to deliver it."""

    id: int
    uid: str
    kind: str
    state: str
    tries: int
    due_at: datetime | None
    created_at: datetime
    ended_at: datetime | None
    payload: str
    deliveries: list[DeliveryOut]

    @classmethod
    def of(cls, message: Message) -> "MessageOut":
        """A message as it is told."""
        told = "id uid kind state tries due_at created_at ended_at payload".split()
        values: dict[str, Any] = {name: getattr(message, name) for name in told}
        tries = [DeliveryOut.of(tried) for tried in message.deliveries.all()]
        return cls(deliveries=tries, **values)


class MessagePage(Schema):
    """Some messages; `next` is the cursor of those that follow."""

    items: list[MessageOut]
    next: str | None


class EventOut(Schema):
    """Something that happened."""

    id: int
    kind: str
    at: datetime
    job: int | None
    node: str
    text: str
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> "EventOut":
        """An event as it is told."""
        told = "id kind at node text data".split()
        values: dict[str, Any] = {name: getattr(event, name) for name in told}
        return cls(job=event.job_id, **values)


class EventPage(Schema):
    """Some events, the first one first; ask again with `after` as `next`."""

    items: list[EventOut]
    next: int


@opened(router, "GET", "/webhooks", verbs.find, response=list[WebhookOut])
def list_webhooks(request: HttpRequest) -> list[WebhookOut]:
    """Your webhooks; those of all for whoever runs the cluster."""
    return [WebhookOut.of(hook) for hook in verbs.find(user(request))]


@opened(router, "POST", "/webhooks", verbs.add, errors=(409,), response={201: WebhookMade})
def add_webhook(request: HttpRequest, wanted: WebhookIn) -> Status[WebhookMade]:
    """Add a webhook. Its secret is in this answer and nowhere else."""
    hook, secret = verbs.add(user(request), wanted.url, wanted.kinds, wanted.job)
    return Status(201, WebhookMade(secret=secret, **WebhookOut.of(hook).model_dump()))


@opened(router, "GET", "/webhooks/{webhook_id}", verbs.get, response=WebhookOut)
def get_webhook(request: HttpRequest, webhook_id: Id) -> WebhookOut:
    """One webhook."""
    return WebhookOut.of(verbs.get(user(request), webhook_id))


@opened(router, "DELETE", "/webhooks/{webhook_id}", verbs.remove, response={204: None})
def remove_webhook(request: HttpRequest, webhook_id: Id, reason: Word = "") -> Status[None]:
    """Delete a webhook with its log."""
    verbs.remove(user(request), webhook_id, reason)
    return Status(204, None)


@opened(router, "POST", "/webhooks/{webhook_id}/rotate", verbs.rotate, response=Rotated)
def rotate_webhook(request: HttpRequest, webhook_id: Id) -> Rotated:
    """Make a new secret; the former signs beside it for a day."""
    return Rotated(secret=verbs.rotate(user(request), webhook_id))


@opened(router, "POST", "/webhooks/{webhook_id}/enable", verbs.enable, response=WebhookOut)
def enable_webhook(request: HttpRequest, webhook_id: Id) -> WebhookOut:
    """Send to it again from now on."""
    return WebhookOut.of(verbs.enable(user(request), webhook_id))


@opened(router, "POST", "/webhooks/{webhook_id}/disable", verbs.disable, response=WebhookOut)
def disable_webhook(request: HttpRequest, webhook_id: Id, why: Why) -> WebhookOut:
    """Send no more to it."""
    return WebhookOut.of(verbs.disable(user(request), webhook_id, why.reason))


@opened(router, "GET", "/webhooks/{webhook_id}/messages", verbs.messages, response=MessagePage)
def list_messages(
    request: HttpRequest,
    webhook_id: Id,
    cursor: Word | None = None,
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL,
) -> MessagePage:
    """What it was sent and is owed, the newest first, with every try."""
    page = verbs.messages(user(request), webhook_id, cursor, limit)
    return MessagePage(items=[MessageOut.of(found) for found in page.items], next=page.next)


@opened(
    router,
    "POST",
    "/messages/{message_id}/resend",
    verbs.resend,
    errors=(409,),
    response={202: MessageOut},
)
def resend_message(request: HttpRequest, message_id: Id) -> Status[MessageOut]:
    """Send a message again now, under the id that it has."""
    return Status(202, MessageOut.of(verbs.resend(user(request), message_id)))


@opened(router, "GET", "/events", events.find, response=EventPage)
def list_events(
    request: HttpRequest,
    after: Number = 0,
    kind: list[Word] = functions.Query([]),
    job: Id | None = None,
) -> EventPage:
    """What happened after an event, as far as you may know of it; 0 begins with the oldest kept."""
    found, position = events.find(user(request), after, kind, job)
    return EventPage(items=[EventOut.of(event) for event in found], next=position)
