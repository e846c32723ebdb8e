"""Each event becomes one message for each webhook that wants it."""

import json
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from hashworld.nodes import clock
from hashworld.tasks import events, moves
from hashworld.tasks.events import Kind
from hashworld.tasks.models import Event, Job
from hashworld.verbs import webhooks as verbs
from hashworld.webhooks import outbox
from hashworld.webhooks.models import Message, Reader, Webhook
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


def payloads() -> list[dict[str, object]]:
    return [json.loads(message.payload) for message in Message.objects.order_by("pk")]


def fill() -> None:
    """Read all, however young the gaps before them are."""
    Event.objects.update(at=clock.now() - timedelta(seconds=20))
    Webhook.objects.update(created_at=clock.now() - timedelta(hours=1))
    while outbox.fill():
        pass


def kill_all(job: Job) -> None:
    moves.kill([task.pk for task in world.tasks(job)])


def test_a_job_that_ends_is_told_with_its_tasks(hook: Webhook, hers: Job) -> None:
    kill_all(hers)
    fill()
    tasks, job = payloads()
    assert (tasks["type"], job["type"]) == ("task.finished", "job.finished")
    assert isinstance(tasks["data"], dict)
    assert isinstance(job["data"], dict)
    told = tasks["data"]["tasks"]
    assert (told[0]["url"], told[0]["state"]) == ("https://a.example/1", "KILLED")
    assert len(told) == 3
    assert (job["data"]["job"], job["data"]["killed"]) == (hers.pk, 3)


def test_a_task_that_was_retried_since_is_told_as_it_had_ended(hook: Webhook, hers: Job) -> None:
    kill_all(hers)
    moves.retry([task.pk for task in world.tasks(hers)])
    fill()
    data = payloads()[0]["data"]
    assert isinstance(data, dict)
    assert {task["state"] for task in data["tasks"]} == {"KILLED"}


def test_what_is_anothers_is_not_told(hook: Webhook, his: Job) -> None:
    kill_all(his)
    events.tell(Kind.SCHEDULE_SKIPPED, "his", owner_id=his.owner_id)
    fill()
    assert payloads() == []


def test_the_webhook_of_a_job_hears_of_that_job_alone(
    hook: Webhook, alice: User, hers: Job
) -> None:
    other = world.hand_in("https://a.example/other")
    Job.objects.filter(pk=other.pk).update(owner=alice)
    events.forget_owners()
    Webhook.objects.update(job_id=other.pk, kinds=[Kind.JOB_FINISHED, Kind.SCHEDULE_SKIPPED])
    kill_all(hers)
    kill_all(other)
    events.tell(Kind.SCHEDULE_SKIPPED, "hers", owner_id=alice.pk)
    fill()
    assert [(p["type"], p["data"]["job"]) for p in payloads()] == [  # type: ignore[index]
        ("job.finished", other.pk)
    ]


def test_a_dead_node_is_told_to_those_who_may_see_nodes(
    hook: Webhook, operator: User, alice: User
) -> None:
    verbs.add(operator, hook.url, [Kind.NODE_DEAD])
    Webhook.objects.filter(owner=alice).update(disabled_at=None)
    events.tell(Kind.NODE_DEAD, "Node n is dead.", node="n")
    fill()
    owners = {message.webhook.owner for message in Message.objects.select_related("webhook__owner")}
    expected = {user for user in (operator, alice) if user.has_perm(outbox.VIEW_NODE)}
    assert owners == expected >= {operator}
    assert payloads()[0]["data"] == {"text": "Node n is dead.", "node": "n"}


def test_a_kind_that_was_not_asked_for_is_not_told(hook: Webhook, hers: Job) -> None:
    Webhook.objects.update(kinds=[Kind.NODE_DEAD])
    kill_all(hers)
    fill()
    assert payloads() == []


def test_what_was_before_the_webhook_is_not_told(hook: Webhook, hers: Job) -> None:
    events.tell(Kind.JOB_FINISHED, "long ago", job=hers)
    Event.objects.update(at=hook.created_at - timedelta(seconds=20))
    outbox.fill()
    assert payloads() == []
    assert Reader.objects.get().position == Event.objects.get().pk


def test_two_readers_at_once_make_each_message_once(hook: Webhook, hers: Job) -> None:
    for _ in range(20):
        events.tell(Kind.JOB_FINISHED, "again", job=hers)
    Event.objects.update(at=clock.now() - timedelta(seconds=20))
    Webhook.objects.update(created_at=clock.now() - timedelta(hours=1))
    Reader.objects.create(pk=Reader.ID)

    def read() -> None:
        outbox.fill()
        connection.close()

    readers = [Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert Message.objects.count() == 20


def test_a_reader_goes_on_from_where_the_one_before_it_comes_to(hook: Webhook, hers: Job) -> None:
    told = events.tell(Kind.JOB_FINISHED, "read by another", job=hers)
    Event.objects.update(at=clock.now() - timedelta(seconds=20))
    Webhook.objects.update(created_at=clock.now() - timedelta(hours=1))
    Reader.objects.create(pk=Reader.ID)
    begun = Barrier(2)

    def read() -> None:
        begun.wait(10)
        outbox.fill()
        connection.close()

    reader = Thread(target=read)
    reader.start()
    with transaction.atomic():
        Reader.objects.select_for_update().get()
        begun.wait(10)
        # It has nothing to go by but the row, which it must wait for.
        reader.join(1)
        Reader.objects.update(position=told.pk)
    reader.join()
    assert not Message.objects.exists()


def test_a_message_has_at_most_so_many_tasks(
    hook: Webhook, hers: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_TASKS", 2)
    Webhook.objects.update(kinds=[Kind.TASK_FINISHED])
    kill_all(hers)
    fill()
    assert [len(p["data"]["tasks"]) for p in payloads()] == [2, 1]  # type: ignore[index]
