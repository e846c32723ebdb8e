"""Who is let in, and what becomes of those who do what they should not."""

import asyncio
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from chatroom.core.errors import Close
from chatroom.core.limits import DEFAULT
from tests.chatting import ORIGIN, Instance, memory, running, ticket, until

ROOM = "#lobby"


@asynccontextmanager
async def alone(**changes: Any) -> AsyncIterator[Instance]:
    limits = replace(DEFAULT, **changes.pop("limits", {}))
    async with running(memory(), 1, limits, **changes) as (instance,):
        yield instance


def knock(instance: Instance, **options: Any) -> Any:
    return connect(instance.url, **{"origin": Origin(ORIGIN), "compression": None, **options})


async def code_after(connection: ClientConnection, *messages: str | bytes) -> int:
    """The code with which the server closes after these messages."""
    try:
        for message in messages:
            await connection.send(message)
        async with asyncio.timeout(15):
            async for _ in connection:
                pass
    except ConnectionClosed:
        pass
    return connection.close_code or 0


def hello(given: str) -> str:
    return f'{{"t":"hello","ticket":"{given}"}}'


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", f"{ORIGIN}.evil.example"])
async def test_another_sites_page_is_not_let_in(origin: str | None):
    async with alone() as instance:
        with pytest.raises(InvalidStatus) as caught:
            await knock(instance, origin=origin and Origin(origin))
        assert caught.value.response.status_code == 403


async def test_an_expired_ticket_is_refused():
    async with alone() as instance, knock(instance) as connection:
        old = ticket(now=time.time() - 70)
        assert await code_after(connection, hello(old)) == Close.BAD_TICKET


async def test_a_reused_ticket_is_refused():
    async with alone() as instance:
        once = ticket()
        async with knock(instance) as first:
            await first.send(hello(once))
            assert '"welcome"' in str(await first.recv())
            async with knock(instance) as second:
                assert await code_after(second, hello(once)) == Close.BAD_TICKET


async def test_a_ticket_that_another_signed_is_refused():
    async with alone() as instance, knock(instance) as connection:
        forged = ticket(key="a secret of another's")
        assert await code_after(connection, hello(forged)) == Close.BAD_TICKET


async def test_a_renewal_with_another_persons_ticket_is_refused():
    async with alone() as instance, instance.visit(1, "ada") as ada:
        await ada.send("hello", ticket=ticket(2, "bob"))
        assert (await ada.get("failed"))["code"] == "forbidden"
        await ada.send("hello", ticket=ticket(1, "ada"))
        await ada.get("renewed")


async def test_rights_end_with_the_ticket_unless_renewed():
    async with alone() as instance, instance.visit() as ada:
        (standing,) = instance.chat.admission._standings.values()
        instance.gateway.run_once(standing.until - 1)
        await ada.join(ROOM)
        instance.gateway.run_once(standing.until + 1)
        assert await ada.closed() == Close.EXPIRED


@pytest.mark.parametrize("first", ["no json", '{"t":"say","room":"#a","text":"x"}', '{"t":"x"}'])
async def test_the_first_message_must_be_hello(first: str):
    async with alone() as instance, knock(instance) as connection:
        assert await code_after(connection, first) in (Close.POLICY, Close.BAD_TICKET)


async def test_who_shows_no_ticket_is_closed():
    async with alone(limits={"hello": 0.2}) as instance, knock(instance) as connection:
        assert await code_after(connection) == Close.NO_TICKET


async def test_a_giant_frame_is_refused():
    async with alone() as instance, instance.visit() as ada:
        assert await code_after(ada.connection, "x" * (DEFAULT.frame + 1)) == 1009


async def test_a_message_without_end_is_refused():
    async with alone() as instance, instance.visit() as ada:

        async def parts() -> AsyncIterator[str]:
            while True:
                yield "x" * 1000
                await asyncio.sleep(0)

        with pytest.raises(ConnectionClosed):
            await ada.connection.send(parts())
        assert ada.connection.close_code in (1009, Close.POLICY)


async def test_ten_thousand_tiny_frames_are_too_many():
    async with alone() as instance, instance.visit() as ada:
        await ada.join(ROOM)
        assert await code_after(ada.connection, *["{}"] * 10_000) == Close.POLICY
        await until(lambda: not instance.chat.hub.clients)


async def test_a_flood_of_pings_is_too_much():
    async with alone() as instance, instance.visit() as ada:
        connection = ada.connection
        for _ in range(2000):
            connection.protocol.send_ping(b"")
            connection.send_data()
        assert await ada.closed() == Close.POLICY


async def test_binary_and_broken_messages_are_told_and_change_nothing():
    async with alone() as instance, instance.visit() as ada:
        await ada.join(ROOM)
        for broken in (
            b"\xff\xfe",
            "{",
            "[]",
            '{"t":"say","room":"#lobby"}',
            '{"t":"join","room":3}',
        ):
            await ada.connection.send(broken)
            told = await ada.get("failed")
            assert told["code"] == "bad"
            assert told["text"]
        await ada.send("say", room=ROOM, text="x", colour="red")
        assert "colour" in (await ada.get("failed"))["text"]
        assert (await ada.say(ROOM, "still here"))["t"] == "done"


@pytest.mark.parametrize(
    "room",
    ["#../etc", "#A", "~1", "~2", "@2:3", "@2:1", "#", "", "+x y", "#job-1/../x", "#é", "x" * 65],
)
async def test_other_peoples_rooms_and_names_of_none_are_refused(room: str):
    async with alone() as instance, instance.visit(1) as ada:
        for kind, more in (("join", {}), ("say", {"text": "x"}), ("history", {"before": "9-0"})):
            await ada.send(kind, room=room, **more)
            assert (await ada.get("failed"))["code"] in ("bad", "not_found")


async def test_who_is_in_no_group_may_do_nothing():
    async with alone() as instance, instance.visit(1, groups=()) as ada:
        assert (await ada.join(ROOM))["code"] == "forbidden"
        assert (await ada.ask("create", room="+x"))["code"] == "forbidden"
        assert (await ada.ask("direct", person=2))["code"] == "forbidden"


async def test_markup_is_delivered_as_it_was_typed():
    text = '<script>alert(1)</script>\u202e\u0000\' onload="x" \N{GRINNING FACE} ${x} {{x}}'
    async with alone() as instance, instance.visit() as ada:
        await ada.join(ROOM)
        await ada.say(ROOM, text)
        assert await ada.texts(ROOM, 1) == [text]


async def test_a_person_who_talks_too_fast_is_told_to_wait_in_all_windows():
    async with alone() as instance:
        async with instance.visit() as one, instance.visit() as other:
            await one.join(ROOM)
            await other.join(ROOM)
            answers = [await one.say(ROOM, "x") for _ in range(DEFAULT.message_burst)]
            assert {answer["t"] for answer in answers} == {"done"}
            assert (await other.say(ROOM, "x"))["code"] == "too_fast"
            async with instance.visit(2, "bob") as bob:
                await bob.join(ROOM)
                assert (await bob.say(ROOM, "x"))["t"] == "done"


async def test_too_long_a_text_is_refused():
    async with alone() as instance, instance.visit() as ada:
        await ada.join(ROOM)
        assert (await ada.say(ROOM, "x" * (DEFAULT.text + 1)))["code"] == "too_long"


async def test_one_person_has_so_many_connections_and_no_more():
    async with alone(limits={"per_user": 2}) as instance:
        async with instance.visit(1), instance.visit(1), instance.visit(2, "bob"):
            async with knock(instance) as connection:
                assert await code_after(connection, hello(ticket(1))) == Close.CROWDED


async def test_one_address_has_so_many_connections_and_no_more():
    async with alone(limits={"per_address": 1}) as instance, instance.visit():
        with pytest.raises(InvalidStatus) as caught:
            await knock(instance)
        assert caught.value.response.status_code == 429


async def test_the_proxys_word_for_the_address_counts_only_behind_one():
    async def two(**changes: Any) -> None:
        async with alone(limits={"per_address": 1}, **changes) as instance:
            for number in (1, 2):
                passed = {"X-Forwarded-For": f"203.0.113.9, 203.0.113.{number}"}
                connection = await knock(instance, additional_headers=passed)
                await connection.send(hello(ticket(number)))
                await connection.recv()

    await two(trust_proxy=True)
    with pytest.raises(InvalidStatus):
        await two()


async def test_who_asks_too_many_at_once_is_refused():
    async with alone() as instance, instance.visit(1) as ada, instance.visit(2, "bob") as bob:
        for number in range(DEFAULT.sessions):
            await ada.send("request", to=bob.id, body=number, ref="q", timeout=50)
        refused = await ada.ask("request", to=bob.id, body=0, timeout=50)
        assert refused["code"] == "too_many"


async def test_a_stalled_reader_is_put_out_and_nobody_else_waits():
    limits = {"messages": 1e6, "message_burst": 10**6, "frames": 1e6, "frame_burst": 10**6}
    async with alone(limits={**limits, "outbox": 200_000}) as instance:
        async with instance.visit(1) as ada, instance.visit(2, "bob", buffer=4096) as bob:
            await ada.join(ROOM)
            await bob.join(ROOM)
            bob.connection.transport.pause_reading()
            slowest, number = 0.0, 0
            while len(instance.chat.hub.clients) > 1 and number < 3000:
                began = time.monotonic()
                await ada.say(ROOM, f"{number} {'x' * 3900}")
                slowest = max(slowest, time.monotonic() - began)
                number += 1
                if instance.gateway.figures.put_out or any(
                    box.put_out for box in instance.gateway._open.values()
                ):
                    break
            assert number < 3000
            assert slowest < 2
            await until(lambda: len(instance.chat.hub.clients) == 1, 10)
            assert instance.gateway.figures.put_out == 1


async def test_who_reads_nothing_while_something_waits_is_put_out_by_time():
    limits = {"messages": 1e6, "message_burst": 10**6, "frames": 1e6, "frame_burst": 10**6}
    async with alone(limits={**limits, "outbox": 10**9, "stuck": 1.0}) as instance:
        async with instance.visit(1) as ada, instance.visit(2, "bob", buffer=4096) as bob:
            await ada.join(ROOM)
            await bob.join(ROOM)
            bob.connection.transport.pause_reading()
            waiting = [box for box in instance.gateway._open.values()][1]
            transport = waiting._connection.transport
            while not transport.get_write_buffer_size():
                await ada.say(ROOM, "x" * 3900)
            await until(lambda: waiting.put_out, 10)


async def test_who_answers_no_ping_is_put_out(monkeypatch):
    monkeypatch.setattr("chatroom.gateway.PING_EVERY", 0.2)
    monkeypatch.setattr("chatroom.gateway.PING_TIMEOUT", 0.3)
    monkeypatch.setattr("chatroom.gateway.CLOSE_TIMEOUT", 0.2)
    async with alone() as instance, instance.visit() as ada:
        ada.connection.transport.pause_reading()
        await until(lambda: not instance.chat.hub.clients, 10)
        await until(lambda: instance.gateway.figures.put_out == 1)


async def test_health_and_metrics_are_answered():
    async with alone() as instance, instance.visit() as ada:
        await ada.join(ROOM)
        await ada.say(ROOM, "x")
        base = instance.url.replace("ws://", "http://").removesuffix("/ws/")

        def get(path: str, **headers: str) -> str:
            request = urllib.request.Request(base + path, headers=headers)
            with urllib.request.urlopen(request, timeout=5) as answer:
                return str(answer.read().decode())

        assert await asyncio.to_thread(get, "/healthz") == "ok\n"
        figures = await asyncio.to_thread(get, "/metrics")
        assert "chatroom_clients 1.0" in figures
        assert "chatroom_said_total 1.0" in figures
        for path, headers in (("/metrics", {"X-Forwarded-For": "203.0.113.9"}), ("/", {})):
            with pytest.raises(OSError, match=r"403|404"):
                await asyncio.to_thread(get, path, **headers)


async def test_draining_sends_everybody_to_another_instance():
    async with alone() as instance:
        port = instance.gateway.port
        async with instance.visit() as ada:
            draining = asyncio.create_task(instance.gateway.drain())
            assert (await ada.get("bye"))["wait"] > 0
            assert await ada.closed() == Close.RESTART
            await draining
        with pytest.raises(OSError, match=r"Connect call failed|refused"):
            await connect(f"ws://127.0.0.1:{port}/ws/", origin=Origin(ORIGIN))
        await instance.gateway.start()  # as it was, for the end of the test
