"""Two processes of the chatroom on one Redis: killed, drained and cut off."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin

from chatroom.core.errors import Close
from tests.chatting import KEY, ORIGIN, Visitor, ticket
from tests.program import Program
from tests.services.redis import Redis
from tests.services.service import free_port

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

ROOM = "#lobby"
SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    if server.missing():
        pytest.skip("this machine has no Redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def instances(server: Redis, tmp_path: Path) -> Iterator[list[tuple[Program, int]]]:
    started = []
    for number in range(2):
        port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCE),
            "CHATROOM_BIND": f"127.0.0.1:{port}",
            "CHATROOM_REDIS_URL": server.url,
            "CHATROOM_SECRET": KEY,
            "CHATROOM_ORIGINS": ORIGIN,
            "CHATROOM_LIMIT_MESSAGES": "1000",
            "CHATROOM_LIMIT_MESSAGE_BURST": "1000",
            "CHATROOM_LIMIT_FRAMES": "1000",
        }
        program = Program(
            [sys.executable, "-m", "chatroom"], environment, tmp_path / f"chat-{number}.log"
        )
        started.append((program, port))
    for program, _ in started:
        program.wait_for_line("chatroom ready")
    yield started
    for program, _ in started:
        if program.is_alive():
            program.kill()


@asynccontextmanager
async def visit(port: int, id: int, name: str) -> AsyncIterator[Visitor]:
    url = f"ws://127.0.0.1:{port}/ws/"
    async with connect(url, origin=Origin(ORIGIN), close_timeout=1) as connection:
        visitor = Visitor(connection)
        await visitor.send("hello", ticket=ticket(id, name))
        visitor.welcome = await visitor.get("welcome")
        yield visitor


def test_people_of_a_killed_instance_are_gone_within_30_s(instances: Any):
    async def scene() -> None:
        (_, here), (there, port) = instances
        async with visit(here, 1, "ada") as ada, visit(port, 2, "bob") as bob:
            await ada.join(ROOM)
            await bob.join(ROOM)
            await ada.get("presence", count=2)
            await ada.send("request", to=bob.id, body=1, ref="q", timeout=59)
            await bob.get("asked")
            there.kill()
            began = time.monotonic()
            gone = await ada.get("presence", timeout=30, count=1)
            assert gone["went"] == [2]
            assert (await ada.get("failed", timeout=30, ref="q"))["code"] == "gone"
            assert time.monotonic() - began < 30

    asyncio.run(scene())


def test_an_instance_that_is_stopped_sends_its_clients_to_the_other(instances: Any):
    async def scene() -> None:
        (_, here), (there, port) = instances
        async with visit(here, 1, "ada") as ada:
            await ada.join(ROOM)
            async with visit(port, 2, "bob") as bob:
                await bob.join(ROOM)
                last = await bob.say(ROOM, "before")
                there.terminate()
                assert (await bob.get("bye"))["wait"] > 0
                assert await bob.closed() == Close.RESTART
            said = [f"missed {number}" for number in range(20)]
            for text in said:
                await ada.say(ROOM, text)
            async with visit(here, 2, "bob") as bob:
                since = {"epoch": bob.welcome["epoch"], "id": last["id"]}
                joined = await bob.join(ROOM, since=since)
                assert joined["recovered"]
                assert [message["text"] for message in joined["messages"]] == said
        assert there.wait(20) == 0
        assert "Traceback" not in there.said()

    asyncio.run(scene())


def test_a_client_that_was_cut_off_for_ten_seconds_gets_exactly_what_it_missed(instances: Any):
    async def scene() -> None:
        (_, here), (_, there) = instances
        async with visit(here, 1, "ada") as ada:
            await ada.join(ROOM)
            async with visit(there, 2, "bob") as bob:
                await bob.join(ROOM)
                last = await ada.say(ROOM, "before")
                await bob.texts(ROOM, 1)
                bob.connection.transport.abort()
            said = []
            for number in range(20):
                said.append(str(number))
                await ada.say(ROOM, said[-1])
                await asyncio.sleep(0.5)
            async with visit(there, 2, "bob") as bob:
                since = {"epoch": bob.welcome["epoch"], "id": last["id"]}
                joined = await bob.join(ROOM, since=since)
                assert joined["recovered"]
                assert [message["text"] for message in joined["messages"]] == said

    asyncio.run(scene())
