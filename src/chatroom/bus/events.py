"""HashWorld's events as they lie in Redis, in the stream that it copies them to."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from chatroom.core.errors import Unavailable
from chatroom.feed import Event

#: Written by HashWorld, capped there; an entry's id is the event's number and "-0".
STREAM = "hashworld:events"
#: Milliseconds that one read waits, and seconds after which a silent server is away.
BLOCK = 2000
TIMEOUT = 5.0
COUNT = 200


class RedisEvents:
    """See `chatroom.feed.Source`."""

    def __init__(self, url: str) -> None:
        self._redis: Any = aioredis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )

    async def after(self, number: int) -> AsyncIterator[Event]:
        """See Source."""
        try:
            last = await self._begin(number)
            while True:
                for _, found in await self._redis.xread({STREAM: last}, COUNT, BLOCK):
                    for id, fields in found:
                        last = id
                        yield _event(id, fields)
        except (RedisError, OSError) as error:
            raise Unavailable(str(error)) from error

    async def close(self) -> None:
        """Let go of the connection."""
        await self._redis.aclose()

    async def _begin(self, number: int) -> bytes:
        if number:
            return f"{number}-0".encode()
        newest = await self._redis.xrevrange(STREAM, count=1)
        return newest[0][0] if newest else b"0-0"


def _event(id: bytes, fields: dict[bytes, bytes]) -> Event:
    text = {name.decode(): value.decode() for name, value in fields.items()}
    return Event(
        int(id.partition(b"-")[0]),
        text.get("kind", ""),
        text.get("text", ""),
        float(text.get("at") or 0),
        int(text.get("job") or 0),
        text.get("node", ""),
        msgspec.json.decode(text["data"]) if text.get("data") else {},
    )
