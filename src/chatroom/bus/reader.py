"""Reads all that an instance follows in Redis, by one call at a time, and says who is present."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from chatroom.bus import NOTHING, PRESENT_FOR, REFRESH_EVERY, Listener
from chatroom.bus.link import AWAY, PREFIX, Link, key
from chatroom.core.hub import Numbered, order
from chatroom.work import end

#: Milliseconds for which one read waits: less than a silent server is given.
BLOCK = 2000
COUNT = 200
FIRST_DELAY, LONGEST_DELAY = 0.1, 2.0
_HOUR = 3600

log = logging.getLogger(__name__)


class Reader:
    """From `start` to `stop` it comes back to a server that went away, and goes on there."""

    def __init__(self, link: Link, instance: str) -> None:
        self._link = link
        self._redis = link.redis
        self._instance = instance
        self._own = f"instance:{instance}"
        self._cursors: dict[str, str] = {}
        self._woken = False
        self._listener: Listener | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, listener: Listener) -> None:
        """See Bus."""
        self._listener = listener
        try:
            await self._arrive()
        except AWAY as error:
            self._lost(error)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._refresh())]

    async def stop(self) -> None:
        """Read no more, and say goodbye."""
        await end(self._tasks)
        try:
            if self._link.up:
                await self._depart()
        except AWAY as error:
            log.warning("those present here expire by themselves: %s", error)

    async def follow(self, name: str) -> None:
        """Hand over what comes in a room's stream from now on; raises Unavailable."""
        if name in self._cursors:
            return
        last = await self._link.ask(self._redis.xrevrange(key(name), count=1))
        if name not in self._cursors:
            self._cursors[name] = last[0][0].decode() if last else NOTHING
        await self._wake()

    def unfollow(self, name: str) -> None:
        """Hand it over no more."""
        self._cursors.pop(name, None)

    async def _wake(self) -> None:
        """Make the reader, which waits, look at the rooms that are followed now."""
        if not self._woken:
            self._woken = True
            waking = self._redis.xadd(key(self._own), {"d": b""}, maxlen=1000, approximate=True)
            await self._link.ask(waking)

    async def _read(self) -> None:
        """Give the listener what comes, for ever; after an error come back and go on."""
        delay = FIRST_DELAY
        while True:
            try:
                if not self._link.up:
                    await self._arrive()
                await self._read_once()
                delay = FIRST_DELAY
            except AWAY as error:
                self._lost(error)
            except Exception as error:  # an instance that does not read is of no use
                log.exception("reading the bus failed")
                self._lost(error)
            if not self._link.up:
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY)

    async def _read_once(self) -> None:
        self._woken = False
        wanted = {key(name): last for name, last in self._cursors.items()}
        for stream, found in await self._redis.xread(wanted, COUNT, BLOCK):
            name = stream.decode().removeprefix(PREFIX)
            if name in self._cursors:
                entries = entries_of(found)
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
        if await self._link.arrive():
            await self._step_back()
        if self._cursors["presence"] == "$":
            last = await self._redis.xrevrange(key("presence"), count=1)
            self._cursors["presence"] = last[0][0].decode() if last else NOTHING
        self._link.up = True
        await self._say_present()
        if self._listener:
            self._listener.on_back()

    async def _step_back(self) -> None:
        """A server that lost its last entries may give out ids again that were read before."""
        for name, cursor in list(self._cursors.items()):
            last = await self._redis.xrevrange(key(name), count=1)
            end = last[0][0].decode() if last else NOTHING
            if name in self._cursors and order(end) < order(cursor if cursor != "$" else NOTHING):
                self._cursors[name] = end

    def _lost(self, error: BaseException) -> None:
        if self._link.up or not self._link.epoch:
            log.warning("the bus is away: %s", error)
        if self._link.up and self._listener:
            self._link.up = False
            self._listener.on_away()
        self._link.up = False

    async def _refresh(self) -> None:
        """Say again and again who is present here, and look whether the server is the same."""
        while True:
            await asyncio.sleep(REFRESH_EVERY)
            if not self._link.up:
                continue
            with suppress(*AWAY):  # the reader finds out, and comes back
                if await self._link.learn_epoch():
                    await self._step_back()
                    assert self._listener is not None  # noqa: S101 - for the type checker
                    self._listener.on_back()
                await self._say_present()

    async def _say_present(self) -> None:
        people = self._listener.people() if self._listener else {}
        async with self._redis.pipeline(transaction=False) as pipe:
            script = self._link.scripts["APPEAR"]
            await script(keys=[key("instances")], args=[PRESENT_FOR, self._instance], client=pipe)
            for room, found in people.items():
                members = [f"{self._instance}|{id}|{name}" for id, name in found.items()]
                keys = [key(f"present:{room}")]
                await script(keys=keys, args=[PRESENT_FOR, *members], client=pipe)
            pipe.expire(key(self._own), _HOUR)
            await pipe.execute()

    async def _depart(self) -> None:
        people = self._listener.people() if self._listener else {}
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zrem(key("instances"), self._instance)
            pipe.delete(key(self._own))
            for room, found in people.items():
                members = [f"{self._instance}|{id}|{name}" for id, name in found.items()]
                pipe.zrem(key(f"present:{room}"), *members)
                pipe.xadd(key("presence"), {"d": room}, maxlen=1000, approximate=True)
            await pipe.execute()


def entries_of(found: Sequence[Any]) -> list[Numbered]:
    """Entries of a stream, as Redis or one of our scripts gives them."""
    return [(id.decode(), fields[b"d"] if isinstance(fields, dict) else fields[1])
            for id, fields in found]  # fmt: skip
