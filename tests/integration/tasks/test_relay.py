"""The Redis stream of events is a copy of the table's end, in its order and without repeats."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from redis import Redis
from redis.exceptions import ResponseError

from hashworld.embedded.ports import find_free
from hashworld.nodes import clock
from hashworld.tasks import relay
from hashworld.tasks.errors import RedisAway
from hashworld.tasks.events import Kind
from hashworld.tasks.models import Event
from tests.services import Cluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]


@pytest.fixture
def stream(services: Cluster) -> Iterator[Any]:
    if not settings.ENV.redis_url:
        pytest.skip("needs Redis")
    redis = relay.client()
    redis.delete(relay.STREAM)
    yield redis
    redis.delete(relay.STREAM)


def tell(kind: Kind = Kind.QUOTA_HIT, **columns: Any) -> Event:
    return Event.objects.create(kind=kind, at=clock.now(), **columns)


def copied(stream: Any) -> list[int]:
    return [int(key.partition("-")[0]) for key, _ in stream.xrange(relay.STREAM)]


def test_events_are_copied_in_order_and_once(stream: Any) -> None:
    first = tell(Kind.NODE_DEAD, node="n1", text="Node n1 is dead.", data={"a": 1})
    # What is older than the database's patience stands for itself: no number is missing.
    relay.run_once()
    second = tell(Kind.JOB_FINISHED, job_id=7)
    relay.run_once()
    relay.run_once()
    assert copied(stream) == [first.pk, second.pk]
    (_, entry), (_, other) = stream.xrange(relay.STREAM)
    assert (entry["kind"], entry["node"], entry["job"]) == ("node.dead", "n1", "")
    assert json.loads(entry["data"]) == {"a": 1}
    assert other["job"] == "7"


def test_two_that_copy_at_once_leave_no_repeat(stream: Any) -> None:
    event = tell()
    assert relay._add(stream, event)
    assert not relay._add(stream, event)
    assert copied(stream) == [event.pk]


def test_the_stream_of_another_database_begins_anew(stream: Any) -> None:
    stream.xadd(relay.STREAM, {"kind": "old"}, id="999999999-0")
    event = tell()
    relay.run_once()
    assert copied(stream) == [event.pk]


def test_what_redis_refuses_for_another_reason_is_no_repeat(stream: Any) -> None:
    stream.set(relay.STREAM, "no stream")
    event = tell()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        relay._add(stream, event)


def test_a_redis_that_is_away_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Redis(host="127.0.0.1", port=find_free(), socket_connect_timeout=1)
    monkeypatch.setattr(relay, "client", lambda: nowhere)
    with pytest.raises(RedisAway):
        relay.run_once()


def test_without_redis_nothing_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "client", lambda: None)
    tell()
    assert relay.run_once() == 0
