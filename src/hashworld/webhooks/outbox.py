"""From events to messages: each event once, whoever reads and however often he is killed."""

import json
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Q

from hashworld.nodes import clock
from hashworld.tasks.events import Kind
from hashworld.tasks.models import Event, Task
from hashworld.tasks.states import State
from hashworld.transaction import retried
from hashworld.webhooks.models import KINDS, Message, Reader, Webhook

#: Events of one transaction.
CHUNK = 200
#: What it takes to be told of the cluster.
VIEW_NODE = "nodes.view_node"
#: Bytes of a message's body, so that receivers with usual limits take it.
MOST_TASKS = 500


def fill() -> int:
    """Turn new events into messages; the number of events read."""
    read = Reader.objects.filter(pk=Reader.ID).values_list("position", flat=True).first() or 0
    # Nothing is locked to find that nothing is new, which is how it mostly is.
    return _fill() if Event.objects.filter(pk__gt=read).exists() else 0


@retried
def _fill() -> int:
    """How far it has come is written with the messages, under the lock of its row.

    So two readers make no message twice, and one that dies leaves none out.
    """
    reader = Reader.objects.select_for_update().filter(pk=Reader.ID).first()
    if reader is None:
        Reader.objects.bulk_create([Reader(pk=Reader.ID)], ignore_conflicts=True)
        reader = Reader.objects.select_for_update().get(pk=Reader.ID)
    events = Event.objects.settled(reader.position, clock.now(), CHUNK)
    if not events:
        return 0
    _make([event for event in events if event.kind in KINDS])
    Reader.objects.filter(pk=Reader.ID).update(position=events[-1].pk)
    return len(events)


def body(kind: str, moment: str, data: dict[str, Any]) -> str:
    """The body of a message as the specification shapes it."""
    return json.dumps({"type": kind, "timestamp": moment, "data": data}, separators=(",", ":"))


def _make(events: Sequence[Event]) -> None:
    hooks = _hooks(events)
    if not hooks:
        return
    now = clock.now()
    made = []
    for event in events:
        wanting = [hook for hook in hooks if _wants(hook, event)]
        if wanting:
            for payload in _payloads(event):
                made += [_message(hook, event.kind, payload, now) for hook in wanting]
    Message.objects.bulk_create(made)


def _message(hook: Webhook, kind: str, payload: str, now: Any) -> Message:
    uid = f"msg_{secrets.token_hex(12)}"
    return Message(webhook=hook, uid=uid, kind=kind, payload=payload, created_at=now, due_at=now)


def _hooks(events: Sequence[Event]) -> list[Webhook]:
    """The webhooks that any of these events may be for."""
    jobs = {event.job_id for event in events if event.job_id}
    owners = {event.owner_id for event in events if event.owner_id}
    concerned = Q(job_id__in=jobs) | Q(job_id=None, owner_id__in=owners)
    if any(event.owner_id is None and event.job_id is None for event in events):
        concerned |= Q(job_id=None)
    return list(Webhook.objects.active().filter(concerned).select_related("owner"))


def _wants(hook: Webhook, event: Event) -> bool:
    if event.kind not in hook.kinds or event.at < hook.created_at or not hook.owner.is_active:
        return False
    if hook.job_id:
        return event.job_id == hook.job_id
    if event.owner_id is None and event.job_id is None:
        return hook.owner.has_perm(VIEW_NODE)
    return event.owner_id == hook.owner_id


def _payloads(event: Event) -> Iterable[str]:
    moment = event.at.isoformat()
    if event.kind != Kind.TASK_FINISHED:
        data = {**event.data, "text": event.text}
        yield body(event.kind, moment, data | ({"node": event.node} if event.node else {}))
        return
    ids = event.data["tasks"]
    for start in range(0, len(ids), MOST_TASKS):
        found = _tasks(event, ids[start : start + MOST_TASKS])
        yield body(event.kind, moment, {"job": event.job_id, "tasks": found})


def _tasks(event: Event, ids: Sequence[int]) -> list[dict[str, Any]]:
    """How these tasks ended; one that was retried or deleted since is told as it had ended."""
    columns = ("url", "state", "status", "error", "attempts")
    rows: dict[int, Any] = {
        row["id"]: row for row in Task.objects.filter(pk__in=ids).values("id", *columns)
    }
    ended = event.data["ended"]
    return [_ended(pk, rows.get(pk, {}), ended) for pk in ids]


def _ended(pk: int, row: dict[str, Any], ended: str) -> dict[str, Any]:
    same = bool(row) and State(row["state"]).name == ended
    return {
        "id": pk,
        "url": row.get("url", ""),
        "state": ended,
        "status": row["status"] if same else None,
        "error": row["error"] if same else "",
        "attempts": row.get("attempts", 0),
    }
