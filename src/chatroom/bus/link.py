"""The connection to Redis: what is asked through it is answered, Refused, or Unavailable."""

import asyncio
import uuid
from typing import Any

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from chatroom.bus import MISSING, MUTED, STRANGER, scripts
from chatroom.core.errors import Code, Refused, Unavailable

PREFIX = "chatroom:"
#: Seconds after which a silent server is away.
TIMEOUT = 5.0
#: What a server that is away, or goes while it is asked, raises.
AWAY = (RedisError, OSError, asyncio.TimeoutError)


class Link:
    """Knows whether the server is there, and which run of it."""

    def __init__(self, url: str) -> None:
        self.up = False
        self.epoch = ""
        # No retries: what was sent once may have been done.
        self.redis: Any = aioredis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            max_connections=64,
        )
        self.scripts = {name: self.redis.register_script(text) for name, text in scripts.ALL}

    async def arrive(self) -> bool:
        """Reach the server; whether it is another run than the one before. Raises AWAY."""
        # What was open to a server that has gone is of no use with the next.
        await self.redis.connection_pool.disconnect(inuse_connections=False)
        await self.redis.ping()
        return await self.learn_epoch()

    async def learn_epoch(self) -> bool:
        """Whether it has changed: every start of the server begins one. Raises AWAY."""
        before = self.epoch
        run = (await self.redis.info("server"))["run_id"]
        script = self.scripts["EPOCH"]
        self.epoch = (await script(keys=[key("epoch")], args=[run, uuid.uuid4().hex])).decode()
        return bool(before) and self.epoch != before

    async def run(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        """What a script gives."""
        return await self.ask(self.scripts[script](keys=keys, args=arguments))

    async def ask(self, answer: Any) -> Any:
        """The server's answer; what it cannot give is Unavailable, what it refuses is Refused."""
        if not self.up:
            answer.close()
            raise Unavailable("The chat's bus is away; it will be back by itself")
        try:
            return await answer
        except ResponseError as error:
            raise _refusal(error) from error
        except AWAY as error:
            raise Unavailable("The chat's bus gave no answer; say it again") from error

    async def close(self) -> None:
        """Let go of the connections."""
        self.up = False
        await self.redis.aclose()


def key(name: str) -> str:
    """The key of one of the bus's things."""
    return PREFIX + name


def _refusal(error: ResponseError) -> Refused:
    text = str(error)
    if "MUTED" in text:
        return Refused(Code.MUTED, MUTED)
    if "STRANGER" in text:
        return Refused(Code.NOT_FOUND, STRANGER)
    if "MISSING" in text:
        return Refused(Code.NOT_FOUND, MISSING)
    return Unavailable(f"Redis refused: {text}")
