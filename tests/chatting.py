"""What tests of the chatroom share: instances in this process, and visitors who talk to them."""

import asyncio
import inspect
import itertools
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from chatroom.bus import Bus
from chatroom.bus.memory import MemoryBus, Store
from chatroom.bus.redis import RedisBus
from chatroom.chat import Chat
from chatroom.config import Config
from chatroom.connection import frame
from chatroom.core.limits import DEFAULT, Limits
from chatroom.gateway import Gateway
from hashworld.api import tickets

KEY = "a secret of the tests"
ORIGIN = "https://hw.example"
PATIENCE = 60.0
MakeBus = Callable[[Limits], Bus]

_refs = itertools.count(1)


def config(limits: Limits = DEFAULT, **changes: Any) -> Config:
    plain = Config(
        *("127.0.0.1", 0, "", KEY, (ORIGIN,), "", "", False, "", "INFO", "console", limits)
    )
    return replace(plain, **changes)


def ticket(
    id: int = 1, name: str = "ada", groups: tuple[str, ...] = ("operator",), **changes: Any
) -> str:
    """As Django gives them; `now` and `key` may be others."""
    now, key = changes.pop("now", time.time()), changes.pop("key", KEY)
    return tickets.sign(
        key, now, id=id, name=name, groups=groups, superuser=False, token=changes.pop("token", "")
    )


def run_async(function: pytest.Function) -> bool:
    """Run a test that is a coroutine, in a loop of its own; whether it was one."""
    if not inspect.iscoroutinefunction(function.obj):
        return False
    names = inspect.signature(function.obj).parameters
    arguments = {name: function.funcargs[name] for name in names}
    asyncio.run(asyncio.wait_for(function.obj(**arguments), 100))
    return True


async def until(condition: Callable[[], object], timeout: float = PATIENCE) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - whatever a test waits for
            await asyncio.sleep(0.01)


def _socket(port: int, buffer: int) -> socket.socket:
    opened = socket.socket(proto=socket.IPPROTO_TCP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    opened.connect(("127.0.0.1", port))
    return opened


class Instance:
    """A chatroom that listens in this process."""

    def __init__(self, bus: Bus, limits: Limits = DEFAULT, **changes: Any) -> None:
        chosen = config(limits, **changes)
        self.bus = bus
        self.chat = Chat(bus, limits, KEY, frame)
        self.gateway = Gateway(self.chat, chosen)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.gateway.port}/ws/"

    async def start(self) -> None:
        await self.gateway.start()
        await self.chat.start()

    async def stop(self) -> None:
        await self.gateway.drain()
        await self.chat.stop()

    @asynccontextmanager
    async def visit(
        self, id: int = 1, name: str = "ada", **options: Any
    ) -> AsyncIterator["Visitor"]:
        """Somebody who is let in; with a `buffer`, the kernel reads no more ahead than that."""
        buffer = options.pop("buffer", None)
        opened = {"sock": _socket(self.gateway.port, buffer)} if buffer else {}
        async with connect(
            self.url, origin=Origin(ORIGIN), compression=None, close_timeout=1, **opened
        ) as connection:
            visitor = Visitor(connection)
            await visitor.send("hello", ticket=ticket(id, name, **options))
            visitor.welcome = await visitor.get("welcome")
            yield visitor


class Visitor:
    """A client that reads what it is sent and keeps what nobody has asked for yet."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.welcome: dict[str, Any] = {}
        self.kept: list[dict[str, Any]] = []

    @property
    def id(self) -> str:
        return str(self.welcome["client"])

    async def send(self, kind: str, **fields: Any) -> None:
        await self.connection.send(msgspec.json.encode({"t": kind, **fields}).decode())

    async def get(self, kind: str, timeout: float = PATIENCE, **fields: Any) -> dict[str, Any]:
        """The next message of a type, with these fields."""
        wanted = {"t": kind, **fields}
        async with asyncio.timeout(timeout):
            while True:
                for message in self.kept:
                    if wanted.items() <= message.items():
                        self.kept.remove(message)
                        return message
                self.kept.append(msgspec.json.decode(await self.connection.recv()))

    async def ask(self, kind: str, answer: str = "", **fields: Any) -> dict[str, Any]:
        """Send, and get the answer, or the refusal."""
        ref = f"r{next(_refs)}"
        await self.send(kind, ref=ref, **fields)
        async with asyncio.timeout(PATIENCE):
            while True:
                for message in self.kept:
                    ours = message.get("ref") == ref and message["t"] != "message"
                    if ours and message["t"] in (answer or "done", "failed"):
                        self.kept.remove(message)
                        return message
                self.kept.append(msgspec.json.decode(await self.connection.recv()))

    async def join(self, room: str, **fields: Any) -> dict[str, Any]:
        return await self.ask("join", "joined", room=room, **fields)

    async def say(self, room: str, text: str) -> dict[str, Any]:
        return await self.ask("say", room=room, text=text)

    async def texts(self, room: str, count: int) -> list[str]:
        """The next `count` messages of a room."""
        return [(await self.get("message", room=room))["text"] for _ in range(count)]

    async def closed(self, timeout: float = PATIENCE) -> int:
        """The code with which the server ended it."""
        with suppress(ConnectionClosed):
            async with asyncio.timeout(timeout):
                async for data in self.connection:
                    self.kept.append(msgspec.json.decode(data))
        return self.connection.close_code or 0


@asynccontextmanager
async def running(
    make_bus: MakeBus, count: int = 1, limits: Limits = DEFAULT, **changes: Any
) -> AsyncIterator[list[Instance]]:
    """So many instances that share what buses share; afterwards none of their tasks is left."""
    before = asyncio.all_tasks()
    instances = [Instance(make_bus(limits), limits, **changes) for _ in range(count)]
    try:
        for instance in instances:
            await instance.start()
        yield instances
    finally:
        for instance in instances:
            await instance.stop()
    await until(lambda: asyncio.all_tasks() <= before)


def memory() -> MakeBus:
    """A maker of buses that share one memory."""
    stores: list[Store] = []

    def make(limits: Limits) -> Bus:
        if not stores:
            stores.append(Store(limits))
        return MemoryBus(stores[0])

    return make


def in_redis(url: str) -> MakeBus:
    """A maker of buses in this Redis."""
    return lambda limits: RedisBus(url, limits)
