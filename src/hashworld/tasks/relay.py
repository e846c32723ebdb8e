"""Copying events to the Redis stream `hashworld:events`, where the chatroom reads them.

The database has them first; the stream is a copy of its end. An entry's id is the event's number,
so the stream itself says how far the copy has come, and no event is in it twice. Whoever copies may
stop, freeze or be two: Redis takes numbers that rise and no others.
"""

import json
from functools import cache
from typing import Any

import structlog
from django.conf import settings

from hashworld.nodes import clock
from hashworld.tasks.errors import RedisAway
from hashworld.tasks.models import Event

log = structlog.get_logger(__name__)

STREAM = "hashworld:events"
#: About how many entries are kept.
LENGTH = 10_000
#: Seconds that Redis has for an answer.
PATIENCE = 2.0
#: What Redis says of a number that is not above the last.
_BEHIND = "equal or smaller"


@cache
def client() -> Any:
    """This process's connection; None without a REDIS_URL."""
    if not settings.ENV.redis_url:
        return None
    import redis  # only where there is one: the embedded footing does without

    return redis.Redis.from_url(
        settings.ENV.redis_url,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        decode_responses=True,
    )


def run_once() -> int:
    """Copy what is new; how many events. Raises RedisAway when it cannot be asked."""
    redis = client()
    return 0 if redis is None else _copy(redis)


def fields(event: Event) -> dict[str, str]:
    """An event as the entry of a stream: every value a text, empty where there is none."""
    return {
        "kind": event.kind,
        "at": f"{event.at.timestamp():.6f}",
        "job": str(event.job_id or ""),
        "node": event.node,
        "text": event.text,
        "data": json.dumps(event.data),
    }


def _copy(redis: Any) -> int:
    from redis.exceptions import ConnectionError, TimeoutError

    try:
        events = Event.objects.settled(_copied(redis), clock.now())
        for event in events:
            if not _add(redis, event):
                return 0
    except (ConnectionError, TimeoutError) as error:
        raise RedisAway(str(error)) from error
    return len(events)


def _copied(redis: Any) -> int:
    """The number of the last event in the stream.

    0 where there is none, and where the stream is of another database: then it begins anew.
    """
    last = redis.xrevrange(STREAM, count=1)
    number = int(last[0][0].partition("-")[0]) if last else 0
    newest = Event.objects.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None or 0 < number <= newest:
        return number
    if number:
        log.warning("the stream of events is another database's; it begins anew", stream=STREAM)
        redis.delete(STREAM)
    kept = Event.objects.filter(pk__gt=newest - LENGTH).order_by("pk")
    return (kept.values_list("pk", flat=True).first() or 1) - 1


def _add(redis: Any, event: Event) -> bool:
    """Whether it was added; not when another has done so."""
    from redis.exceptions import ResponseError

    try:
        redis.xadd(STREAM, fields(event), id=f"{event.pk}-0", maxlen=LENGTH, approximate=True)
    except ResponseError as error:
        if _BEHIND not in str(error):
            raise
        return False
    return True
