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

import uuid
from collections.abc import Sequence

from chatroom.bus import MUTED, PRESENT_FOR, STRANGER, TICKET_KEPT, Listener, Recovery
from chatroom.bus.link import Link, key
from chatroom.bus.reader import Reader, entries_of
from chatroom.core.errors import Code, Refused
from chatroom.core.hub import Numbered
from chatroom.core.limits import Limits
from chatroom.core.requests import Since

#: Seconds for which what is for one instance alone is kept.
KEPT = 3600


class RedisBus:
    """See `chatroom.bus.Bus`."""

    def __init__(self, url: str, limits: Limits) -> None:
        self.instance = uuid.uuid4().hex[:12]
        self._link = Link(url)
        self._redis = self._link.redis
        self._limits = limits
        self._reader = Reader(self._link, self.instance)

    @property
    def up(self) -> bool:
        return self._link.up

    @property
    def epoch(self) -> str:
        return self._link.epoch

    async def start(self, listener: Listener) -> None:
        await self._reader.start(listener)

    async def stop(self) -> None:
        await self._reader.stop()
        await self._link.close()

    async def follow(self, room: str) -> None:
        await self._reader.follow(f"room:{room}")

    def unfollow(self, room: str) -> None:
        self._reader.unfollow(f"room:{room}")

    async def publish(self, room: str, data: bytes, person: int = 0) -> str:
        keys = [key(f"room:{room}"), key(f"muted:{person}"), key(f"members:{room}")]
        private = int(room.startswith("+"))
        kept = self._limits.kept, self._limits.kept_days * 86_400
        id = await self._link.run("PUBLISH", keys, [data, *kept, person, private])
        return str(id.decode())

    async def require_may_say(self, room: str, person: int) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.exists(key(f"muted:{person}"))
            pipe.sismember(key(f"members:{room}"), str(person))
            muted, member = await self._link.ask(pipe.execute())
        if muted:
            raise Refused(Code.MUTED, MUTED)
        if room.startswith("+") and not member:
            raise Refused(Code.NOT_FOUND, STRANGER)

    async def remove(self, room: str, id: str, data: bytes) -> None:
        await self._link.run("REMOVE", [key(f"room:{room}")], [id, data])

    async def recover(self, room: str, since: Since | None) -> Recovery:
        known = since.id if since and since.epoch == self.epoch else ""
        limits = [known, self._limits.missed, self._limits.page]
        whole, missed, tail, last = await self._link.run("RECOVER", [key(f"room:{room}")], limits)
        if whole:
            return Recovery(True, entries_of(missed), last.decode(), False)
        newest = tail[: self._limits.page]
        older = len(tail) > len(newest)
        return Recovery(False, entries_of(newest[::-1]), last.decode(), older)

    async def before(self, room: str, id: str, count: int) -> list[Numbered]:
        found = await self._link.ask(
            self._redis.xrevrange(key(f"room:{room}"), max=f"({id}", min="-", count=count)
        )
        return entries_of(found[::-1])

    async def appear(self, room: str, person: int, name: str) -> None:
        member = f"{self.instance}|{person}|{name}"
        if await self._link.run("APPEAR", [key(f"present:{room}")], [PRESENT_FOR, member]):
            await self._hint(room)

    async def vanish(self, room: str, person: int, name: str) -> None:
        member = f"{self.instance}|{person}|{name}"
        if await self._link.ask(self._redis.zrem(key(f"present:{room}"), member)):
            await self._hint(room)

    async def present(self, room: str) -> dict[int, str]:
        found: dict[int, str] = {}
        for member in await self._link.run("PRESENT", [key(f"present:{room}")], []):
            _, person, name = member.decode().split("|", 2)
            found[int(person)] = name
        return found

    async def instances(self) -> set[str]:
        return {m.decode() for m in await self._link.run("PRESENT", [key("instances")], [])}

    async def tell(self, instance: str, data: bytes) -> None:
        place = key(f"instance:{instance}")
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xadd(place, {"d": data}, maxlen=1000, approximate=True)
            pipe.expire(place, KEPT)
            await self._link.ask(pipe.execute())

    async def use_ticket(self, jti: str) -> bool:
        using = self._redis.set(key(f"ticket:{jti}"), b"", nx=True, ex=TICKET_KEPT)
        return bool(await self._link.ask(using))

    async def create(self, room: str, person: int) -> bool:
        keys = [key(f"members:{room}"), key(f"rooms:{person}")]
        return bool(await self._link.run("CREATE", keys, [person, room]))

    async def admit(self, room: str, person: int) -> None:
        async with self._redis.pipeline() as pipe:
            pipe.sadd(key(f"members:{room}"), str(person))
            pipe.sadd(key(f"rooms:{person}"), room)
            await self._link.ask(pipe.execute())

    async def expel(self, room: str, person: int) -> None:
        async with self._redis.pipeline() as pipe:
            pipe.srem(key(f"members:{room}"), str(person))
            pipe.srem(key(f"rooms:{person}"), room)
            await self._link.ask(pipe.execute())

    async def is_member(self, room: str, person: int) -> bool:
        return bool(
            await self._link.ask(self._redis.sismember(key(f"members:{room}"), str(person)))
        )

    async def rooms_of(self, person: int) -> list[str]:
        found = await self._link.ask(self._redis.smembers(key(f"rooms:{person}")))
        return sorted(room.decode() for room in found)

    async def remember_name(self, person: int, name: str) -> None:
        await self._link.ask(self._redis.hset(key("names"), str(person), name))

    async def names(self, people: Sequence[int]) -> dict[int, str]:
        if not people:
            return {}
        found = await self._link.ask(self._redis.hmget(key("names"), [str(id) for id in people]))
        return {id: name.decode() for id, name in zip(people, found, strict=True) if name}

    async def mute(self, person: int, seconds: int) -> None:
        place = key(f"muted:{person}")
        if seconds:
            await self._link.ask(self._redis.set(place, b"", ex=seconds))
        else:
            await self._link.ask(self._redis.delete(place))

    async def feed(self, source: str, entries: Sequence[tuple[str, bytes]]) -> bool:
        keys = [key("fed"), *(key(f"room:{room}") for room, _ in entries)]
        kept = self._limits.kept, self._limits.kept_days * 86_400
        data = [source, *kept, *(data for _, data in entries)]
        return bool(await self._link.run("FEED", keys, data))

    async def fed(self) -> str:
        found = await self._link.ask(self._redis.get(key("fed")))
        return str(found.decode()) if found else ""

    async def _hint(self, room: str) -> None:
        adding = self._redis.xadd(key("presence"), {"d": room}, maxlen=1000, approximate=True)
        await self._link.ask(adding)
