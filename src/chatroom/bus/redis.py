"""The bus in Redis: a capped stream for each room, one reader for each instance.

Keys, all beginning with ``chatroom:``

=====================  =======  ==================================================================
epoch                  hash     the server's run and the epoch that began with it
room:ROOM              stream   what was said; about 1,000 entries, a week after the last
present:ROOM           zset     ``instance|person|name``, until when; refreshed every 5 s, an hour
presence               stream   rooms whose people changed; about 1,000
instances              zset     instances, until when
instance:ID            stream   what is for one instance alone; about 1,000, an hour
members:ROOM           set      of a private room
rooms:PERSON           set      private and direct rooms of a person
names                  hash     what people are called
ticket:NUMBER          string   a ticket that was used; two minutes
muted:PERSON           string   until it expires
fed                    string   how far the cluster's events were read
=====================  =======  ==================================================================
"""

import asyncio
import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from chatroom.bus import (
    MISSING,
    MUTED,
    NOTHING,
    PRESENT_FOR,
    REFRESH_EVERY,
    STRANGER,
    TICKET_KEPT,
    Listener,
    Recovery,
    scripts,
)
from chatroom.core.errors import Code, Refused, Unavailable
from chatroom.core.hub import Numbered, order
from chatroom.core.limits import Limits
from chatroom.core.messages import Since

PREFIX = "chatroom:"
#: Milliseconds for which one read waits, and seconds after which a silent server is away.
BLOCK = 2000
TIMEOUT = 5.0
COUNT = 200
FIRST_DELAY, LONGEST_DELAY = 0.1, 2.0
_HOUR = 3600
_AWAY = (RedisError, OSError, asyncio.TimeoutError)

log = logging.getLogger(__name__)


class RedisBus:
    """See `chatroom.bus.Bus`."""

    def __init__(self, url: str, limits: Limits) -> None:
        self.instance = uuid.uuid4().hex[:12]
        self.epoch = ""
        self.up = False
        self._limits = limits
        # No retries: what was sent once may have been done.
        self._redis: Any = aioredis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            max_connections=64,
        )
        register = self._redis.register_script
        self._scripts = {
            name: register(getattr(scripts, name))
            for name in (
                *("EPOCH", "PUBLISH", "REMOVE", "RECOVER"),
                *("APPEAR", "PRESENT", "CREATE", "FEED"),
            )
        }
        self._cursors: dict[str, str] = {}
        self._own = f"instance:{self.instance}"
        self._woken = False
        self._listener: Listener | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, listener: Listener) -> None:
        self._listener = listener
        try:
            await self._arrive()
        except _AWAY as error:
            self._lost(error)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._refresh())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            if self.up:
                await self._depart()
        except _AWAY as error:
            log.warning("those present here expire by themselves: %s", error)
        self.up = False
        await self._redis.aclose()

    async def publish(self, room: str, data: bytes, person: int = 0) -> str:
        keys = [_key(f"room:{room}"), _key(f"muted:{person}"), _key(f"members:{room}")]
        private = int(room.startswith("+"))
        kept = self._limits.kept, self._limits.kept_days * 86_400
        id = await self._run("PUBLISH", keys, [data, *kept, person, private])
        return str(id.decode())

    async def require_may_say(self, room: str, person: int) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.exists(_key(f"muted:{person}"))
            pipe.sismember(_key(f"members:{room}"), str(person))
            muted, member = await self._try(pipe.execute())
        if muted:
            raise Refused(Code.MUTED, MUTED)
        if room.startswith("+") and not member:
            raise Refused(Code.NOT_FOUND, STRANGER)

    async def remove(self, room: str, id: str, data: bytes) -> None:
        await self._run("REMOVE", [_key(f"room:{room}")], [id, data])

    async def follow(self, room: str) -> None:
        name = f"room:{room}"
        if name in self._cursors:
            return
        last = await self._try(self._redis.xrevrange(_key(name), count=1))
        if name not in self._cursors:
            self._cursors[name] = last[0][0].decode() if last else NOTHING
        await self._wake()

    def unfollow(self, room: str) -> None:
        self._cursors.pop(f"room:{room}", None)

    async def recover(self, room: str, since: Since | None) -> Recovery:
        known = since.id if since and since.epoch == self.epoch else ""
        limits = [known, self._limits.missed, self._limits.page]
        whole, missed, tail, last = await self._run("RECOVER", [_key(f"room:{room}")], limits)
        if whole:
            return Recovery(True, _entries(missed), last.decode(), False)
        newest = tail[: self._limits.page]
        older = len(tail) > len(newest)
        return Recovery(False, _entries(newest[::-1]), last.decode(), older)

    async def before(self, room: str, id: str, count: int) -> list[Numbered]:
        found = await self._try(
            self._redis.xrevrange(_key(f"room:{room}"), max=f"({id}", min="-", count=count)
        )
        return _entries(found[::-1])

    async def appear(self, room: str, person: int, name: str) -> None:
        member = f"{self.instance}|{person}|{name}"
        if await self._run("APPEAR", [_key(f"present:{room}")], [PRESENT_FOR, member]):
            await self._hint(room)

    async def vanish(self, room: str, person: int, name: str) -> None:
        member = f"{self.instance}|{person}|{name}"
        if await self._try(self._redis.zrem(_key(f"present:{room}"), member)):
            await self._hint(room)

    async def present(self, room: str) -> dict[int, str]:
        found: dict[int, str] = {}
        for member in await self._run("PRESENT", [_key(f"present:{room}")], []):
            _, person, name = member.decode().split("|", 2)
            found[int(person)] = name
        return found

    async def instances(self) -> set[str]:
        return {m.decode() for m in await self._run("PRESENT", [_key("instances")], [])}

    async def tell(self, instance: str, data: bytes) -> None:
        key = _key(f"instance:{instance}")
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xadd(key, {"d": data}, maxlen=1000, approximate=True)
            pipe.expire(key, _HOUR)
            await self._try(pipe.execute())

    async def use_ticket(self, jti: str) -> bool:
        key = _key(f"ticket:{jti}")
        return bool(await self._try(self._redis.set(key, b"", nx=True, ex=TICKET_KEPT)))

    async def create(self, room: str, person: int) -> bool:
        keys = [_key(f"members:{room}"), _key(f"rooms:{person}")]
        return bool(await self._run("CREATE", keys, [person, room]))

    async def admit(self, room: str, person: int) -> None:
        async with self._redis.pipeline() as pipe:
            pipe.sadd(_key(f"members:{room}"), str(person))
            pipe.sadd(_key(f"rooms:{person}"), room)
            await self._try(pipe.execute())

    async def expel(self, room: str, person: int) -> None:
        async with self._redis.pipeline() as pipe:
            pipe.srem(_key(f"members:{room}"), str(person))
            pipe.srem(_key(f"rooms:{person}"), room)
            await self._try(pipe.execute())

    async def is_member(self, room: str, person: int) -> bool:
        return bool(await self._try(self._redis.sismember(_key(f"members:{room}"), str(person))))

    async def rooms_of(self, person: int) -> list[str]:
        found = await self._try(self._redis.smembers(_key(f"rooms:{person}")))
        return sorted(room.decode() for room in found)

    async def remember_name(self, person: int, name: str) -> None:
        await self._try(self._redis.hset(_key("names"), str(person), name))

    async def names(self, people: Sequence[int]) -> dict[int, str]:
        if not people:
            return {}
        found = await self._try(self._redis.hmget(_key("names"), [str(id) for id in people]))
        return {id: name.decode() for id, name in zip(people, found, strict=True) if name}

    async def mute(self, person: int, seconds: int) -> None:
        key = _key(f"muted:{person}")
        if seconds:
            await self._try(self._redis.set(key, b"", ex=seconds))
        else:
            await self._try(self._redis.delete(key))

    async def feed(self, source: str, entries: Sequence[tuple[str, bytes]]) -> bool:
        keys = [_key("fed"), *(_key(f"room:{room}") for room, _ in entries)]
        kept = self._limits.kept, self._limits.kept_days * 86_400
        data = [source, *kept, *(data for _, data in entries)]
        return bool(await self._run("FEED", keys, data))

    async def fed(self) -> str:
        found = await self._try(self._redis.get(_key("fed")))
        return str(found.decode()) if found else ""

    async def _run(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        return await self._try(self._scripts[script](keys=keys, args=arguments))

    async def _try(self, answer: Any) -> Any:
        """The server's answer; what it cannot give is Unavailable, what it refuses is Refused."""
        if not self.up:
            answer.close()
            raise Unavailable("The chat's bus is away; it will be back by itself")
        try:
            return await answer
        except ResponseError as error:
            raise _refusal(error) from error
        except _AWAY as error:
            raise Unavailable("The chat's bus gave no answer; say it again") from error

    async def _wake(self) -> None:
        """Make the reader, which waits, look at the rooms that are followed now."""
        if not self._woken:
            self._woken = True
            await self.tell(self.instance, b"")

    async def _hint(self, room: str) -> None:
        adding = self._redis.xadd(_key("presence"), {"d": room}, maxlen=1000, approximate=True)
        await self._try(adding)

    async def _read(self) -> None:
        """Give the listener what comes, for ever; after an error come back and go on."""
        delay = FIRST_DELAY
        while True:
            try:
                if not self.up:
                    await self._arrive()
                await self._read_once()
                delay = FIRST_DELAY
            except _AWAY as error:
                self._lost(error)
            except Exception as error:  # an instance that does not read is of no use
                log.exception("reading the bus failed")
                self._lost(error)
            if not self.up:
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY)

    async def _read_once(self) -> None:
        self._woken = False
        wanted = {_key(name): last for name, last in self._cursors.items()}
        for stream, found in await self._redis.xread(wanted, COUNT, BLOCK):
            name = stream.decode().removeprefix(PREFIX)
            if name in self._cursors:
                entries = _entries(found)
                self._cursors[name] = entries[-1][0]
                self._hand_over(name, entries)

    def _hand_over(self, name: str, entries: list[Numbered]) -> None:
        assert self._listener is not None  # noqa: S101 - for the type checker
        if name.startswith("room:"):
            self._listener.on_entries(name.removeprefix("room:"), entries)
        elif name == "presence":
            for room in {data.decode() for _, data in entries}:
                self._listener.on_presence(room)
        else:
            for _, data in entries:
                if data:
                    self._listener.on_told(data)

    async def _arrive(self) -> None:
        """Reach the server, learn its epoch, and go on where reading ended."""
        self._cursors.setdefault(self._own, NOTHING)
        self._cursors.setdefault("presence", "$")
        # What was open to a server that has gone is of no use with the next.
        await self._redis.connection_pool.disconnect(inuse_connections=False)
        await self._redis.ping()
        before = self.epoch
        await self._learn_epoch()
        if before and self.epoch != before:
            await self._step_back()
        if self._cursors["presence"] == "$":
            last = await self._redis.xrevrange(_key("presence"), count=1)
            self._cursors["presence"] = last[0][0].decode() if last else NOTHING
        self.up = True
        await self._say_present()
        if self._listener:
            self._listener.on_back()

    async def _learn_epoch(self) -> None:
        run = (await self._redis.info("server"))["run_id"]
        script = self._scripts["EPOCH"]
        self.epoch = (await script(keys=[_key("epoch")], args=[run, uuid.uuid4().hex])).decode()

    async def _step_back(self) -> None:
        """A server that lost its last entries may give out ids again that were read before."""
        for name, cursor in list(self._cursors.items()):
            last = await self._redis.xrevrange(_key(name), count=1)
            end = last[0][0].decode() if last else NOTHING
            if name in self._cursors and order(end) < order(cursor if cursor != "$" else NOTHING):
                self._cursors[name] = end

    def _lost(self, error: BaseException) -> None:
        if self.up or not self.epoch:
            log.warning("the bus is away: %s", error)
        if self.up and self._listener:
            self.up = False
            self._listener.on_away()
        self.up = False

    async def _refresh(self) -> None:
        """Say again and again who is present here, and look whether the server is the same."""
        while True:
            await asyncio.sleep(REFRESH_EVERY)
            if not self.up:
                continue
            with suppress(*_AWAY):  # the reader finds out, and comes back
                before = self.epoch
                await self._learn_epoch()
                if self.epoch != before:
                    await self._step_back()
                    assert self._listener is not None  # noqa: S101 - for the type checker
                    self._listener.on_back()
                await self._say_present()

    async def _say_present(self) -> None:
        people = self._listener.people() if self._listener else {}
        async with self._redis.pipeline(transaction=False) as pipe:
            script = self._scripts["APPEAR"]
            await script(keys=[_key("instances")], args=[PRESENT_FOR, self.instance], client=pipe)
            for room, found in people.items():
                members = [f"{self.instance}|{id}|{name}" for id, name in found.items()]
                keys = [_key(f"present:{room}")]
                await script(keys=keys, args=[PRESENT_FOR, *members], client=pipe)
            pipe.expire(_key(self._own), _HOUR)
            await pipe.execute()

    async def _depart(self) -> None:
        people = self._listener.people() if self._listener else {}
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zrem(_key("instances"), self.instance)
            pipe.delete(_key(self._own))
            for room, found in people.items():
                members = [f"{self.instance}|{id}|{name}" for id, name in found.items()]
                pipe.zrem(_key(f"present:{room}"), *members)
                pipe.xadd(_key("presence"), {"d": room}, maxlen=1000, approximate=True)
            await pipe.execute()


def _key(name: str) -> str:
    return PREFIX + name


def _entries(found: Sequence[Any]) -> list[Numbered]:
    return [(id.decode(), fields[b"d"] if isinstance(fields, dict) else fields[1])
            for id, fields in found]  # fmt: skip


def _refusal(error: ResponseError) -> Refused:
    text = str(error)
    if "MUTED" in text:
        return Refused(Code.MUTED, MUTED)
    if "STRANGER" in text:
        return Refused(Code.NOT_FOUND, STRANGER)
    if "MISSING" in text:
        return Refused(Code.NOT_FOUND, MISSING)
    return Unavailable(f"Redis refused: {text}")
