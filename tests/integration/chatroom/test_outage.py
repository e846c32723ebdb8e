"""Redis goes and comes back: what clients are told, and that nothing acknowledged is lost."""

import asyncio
from dataclasses import replace

import pytest

from chatroom.core.limits import DEFAULT
from tests.chatting import in_redis, running
from tests.services.redis import Redis

ROOM = "#lobby"
GENEROUS = replace(DEFAULT, messages=1e6, message_burst=10**6, frames=1e6, frame_burst=10**6)

pytestmark = pytest.mark.timeout(110)


async def test_without_redis_messages_are_refused_and_all_resumes_by_itself(empty_redis: Redis):
    async with running(in_redis(empty_redis.url), 2) as (here, there):
        async with here.visit(1) as ada, there.visit(2, "bob") as bob:
            await ada.join(ROOM)
            await bob.join(ROOM)
            await ada.say(ROOM, "before")
            await bob.texts(ROOM, 1)
            await asyncio.to_thread(empty_redis.stop)
            for visitor in (ada, bob):
                assert not (await visitor.get("bus", timeout=20))["up"]
            assert (await ada.say(ROOM, "lost?"))["code"] == "unavailable"
            await asyncio.to_thread(empty_redis.start)
            for visitor in (ada, bob):
                back = await visitor.get("bus", timeout=20)
                assert back["up"]
                # Another run of the server is another epoch: everybody must reload.
                assert back["epoch"] != visitor.welcome["epoch"]
            assert (await ada.say(ROOM, "after"))["t"] == "done"
            assert await bob.texts(ROOM, 1) == ["after"]


async def test_a_restart_under_load_loses_nothing_that_was_acknowledged(empty_redis: Redis):
    async with running(in_redis(empty_redis.url), 2, GENEROUS) as (here, there):
        async with here.visit(1) as ada, there.visit(2, "bob") as bob:
            await ada.join(ROOM)
            await bob.join(ROOM)
            acknowledged: list[str] = []
            refused = 0
            restart = asyncio.create_task(asyncio.to_thread(empty_redis.stop))
            for number in range(100_000):
                answer = await ada.say(ROOM, str(number))
                if answer["t"] == "done":
                    acknowledged.append(str(number))
                else:
                    refused += 1
                if restart.done() and refused:
                    break
                await asyncio.sleep(0)
            await restart
            await asyncio.to_thread(empty_redis.start)
            while (await ada.say(ROOM, "the last"))["t"] != "done":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            heard: list[str] = []
            while heard[-1:] != ["the last"]:
                heard += await bob.texts(ROOM, 1)
            assert refused
            assert [text for text in heard if text in set(acknowledged)] == acknowledged


async def test_redis_killed_tells_everybody_to_reload(empty_redis: Redis):
    async with running(in_redis(empty_redis.url)) as (here,), here.visit(1) as ada:
        await ada.join(ROOM)
        said = await ada.say(ROOM, "perhaps lost")
        epoch = ada.welcome["epoch"]
        await asyncio.to_thread(empty_redis.kill)
        assert not (await ada.get("bus", timeout=20))["up"]
        await asyncio.to_thread(empty_redis.start)
        back = await ada.get("bus", timeout=20)
        assert back["up"]
        joined = await ada.join(ROOM, since={"epoch": epoch, "id": said["id"]})
        assert not joined["recovered"]
        assert joined["epoch"] == back["epoch"] != epoch


async def test_an_instance_that_starts_before_redis_waits_for_it(empty_redis: Redis):
    await asyncio.to_thread(empty_redis.stop)
    async with running(in_redis(empty_redis.url)) as (here,):
        assert not here.bus.up
        await asyncio.to_thread(empty_redis.start)
        async with asyncio.timeout(20):
            while not here.bus.up:  # noqa: ASYNC110 - the bus tells its listener alone
                await asyncio.sleep(0.02)
        async with here.visit() as ada:
            await ada.join(ROOM)
            assert (await ada.say(ROOM, "x"))["t"] == "done"


async def test_those_of_an_instance_that_is_silent_expire(empty_redis: Redis, monkeypatch):
    monkeypatch.setattr("chatroom.bus.redis.PRESENT_FOR", 1.0)
    monkeypatch.setattr("chatroom.bus.reader.PRESENT_FOR", 1.0)
    monkeypatch.setattr("chatroom.bus.reader.REFRESH_EVERY", 0.2)
    monkeypatch.setattr("chatroom.presence.REFRESH_EVERY", 0.2)
    monkeypatch.setattr("chatroom.chat.REFRESH_EVERY", 0.2)
    async with running(in_redis(empty_redis.url), 2) as (here, there):
        async with here.visit(1) as ada, there.visit(2, "bob") as bob:
            await ada.join(ROOM)
            await bob.join(ROOM)
            await ada.get("presence", count=2)
            await ada.send("request", to=bob.id, body=1, ref="q", timeout=50)
            await bob.get("asked")
            for task in there.bus._reader._tasks:  # as if it were killed: it says nothing any more
                task.cancel()
            assert (await ada.get("presence", count=1))["went"] == [2]
            assert (await ada.get("failed", ref="q"))["code"] == "gone"
