"""What holds on every bus: the same tests in memory and in Redis, with real sockets."""

import asyncio
from dataclasses import replace

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from chatroom.core.errors import Close, Refused
from chatroom.core.limits import DEFAULT
from tests.chatting import ORIGIN, MakeBus, Visitor, running, ticket, until

ROOM = "#lobby"
GENEROUS = replace(DEFAULT, messages=1e6, message_burst=10**6, frames=1e6, frame_burst=10**6)


async def test_what_is_said_reaches_everybody_in_the_room_and_nobody_else(make_bus: MakeBus):
    async with running(make_bus, 2) as (here, there):
        async with here.visit(1, "ada") as ada, there.visit(2, "bob") as bob:
            async with here.visit(3, "eve") as eve:
                await ada.join(ROOM)
                await bob.join(ROOM)
                await eve.join("#other")
                said = await ada.say(ROOM, "hello")
                heard = await bob.get("message", room=ROOM)
                assert (heard["text"], heard["id"]) == ("hello", said["id"])
                assert heard["person"] == {"id": 1, "name": "ada"}
                assert (await ada.get("message", room=ROOM))["id"] == said["id"]
                await eve.say("#other", "marker")
                assert await eve.texts("#other", 1) == ["marker"]
                assert not [m for m in eve.kept if m.get("room") == ROOM]


async def test_all_see_one_order_whichever_instance_they_are_on(make_bus: MakeBus):
    async with running(make_bus, 2, GENEROUS) as (here, there):
        async with here.visit(1, "ada") as ada, there.visit(2, "bob") as bob:
            await ada.join(ROOM)
            await bob.join(ROOM)
            for number in range(50):
                await ada.send("say", room=ROOM, text=f"a{number}")
                await bob.send("say", room=ROOM, text=f"b{number}")
            first = await ada.texts(ROOM, 100)
            assert first == await bob.texts(ROOM, 100)
            assert sorted(first) == sorted(f"{who}{n}" for who in "ab" for n in range(50))


async def test_a_client_that_comes_back_gets_exactly_what_it_missed(make_bus: MakeBus):
    async with running(make_bus, 2, GENEROUS) as (here, there):
        async with there.visit(2, "bob") as bob:
            await bob.join(ROOM)
            async with here.visit() as ada:
                await ada.join(ROOM)
                last = await ada.say(ROOM, "before")
            for number in range(30):
                await bob.say(ROOM, f"missed {number}")
            async with there.visit() as ada:
                since = {"epoch": ada.welcome["epoch"], "id": last["id"]}
                joined = await ada.join(ROOM, since=since)
                assert joined["recovered"]
                texts = [message["text"] for message in joined["messages"]]
                assert texts == [f"missed {number}" for number in range(30)]
                await bob.say(ROOM, "after")
                assert await ada.texts(ROOM, 1) == ["after"]


async def test_joining_amid_a_flood_loses_and_doubles_nothing(make_bus: MakeBus):
    async with running(make_bus, 2, GENEROUS) as (here, there):
        async with here.visit(1, "ada") as ada, there.visit(2, "bob") as bob:
            await bob.join(ROOM)

            async def flood() -> None:
                for number in range(200):
                    await bob.send("say", room=ROOM, text=str(number))
                    await asyncio.sleep(0)

            flooding = asyncio.create_task(flood())
            got: list[str] = []
            for _ in range(5):
                await ada.send("leave", room=ROOM)
                await ada.get("left")
                ada.kept.clear()
                joined = await ada.join(ROOM)
                got = [message["text"] for message in joined["messages"]]
            await flooding
            while got[-1:] != ["199"]:
                got += await ada.texts(ROOM, 1)
            assert got == [str(number) for number in range(int(got[0]), 200)]


async def test_who_comes_from_another_epoch_must_reload(make_bus: MakeBus):
    async with running(make_bus) as (here,), here.visit() as ada:
        await ada.join(ROOM)
        said = await ada.say(ROOM, "one")
        joined = await ada.join(ROOM, since={"epoch": "of before", "id": said["id"]})
        assert not joined["recovered"]
        assert [message["text"] for message in joined["messages"]] == ["one"]


async def test_who_missed_too_much_must_reload(make_bus: MakeBus):
    few = replace(GENEROUS, missed=5, page=3)
    async with running(make_bus, 1, few) as (here,), here.visit() as ada:
        epoch = ada.welcome["epoch"]
        await ada.join(ROOM)
        ids = [(await ada.say(ROOM, str(number)))["id"] for number in range(8)]
        joined = await ada.join(ROOM, since={"epoch": epoch, "id": ids[1]})
        assert not joined["recovered"]
        assert joined["older"]
        assert [message["text"] for message in joined["messages"]] == ["5", "6", "7"]
        joined = await ada.join(ROOM, since={"epoch": epoch, "id": ids[2]})
        assert joined["recovered"]
        assert len(joined["messages"]) == 5


async def test_history_is_capped_and_who_comes_from_beyond_it_must_reload(make_bus: MakeBus):
    short = replace(GENEROUS, kept=100, missed=100_000)
    async with running(make_bus, 1, short) as (here,), here.visit() as ada:
        await ada.join(ROOM)
        first = await ada.say(ROOM, "the first")
        for number in range(400):
            await ada.say(ROOM, str(number))
        epoch = ada.welcome["epoch"]
        joined = await ada.join(ROOM, since={"epoch": epoch, "id": first["id"]})
        assert not joined["recovered"]
        page = await ada.ask("search", "page", room=ROOM, text="the first")
        assert page["messages"] == []


async def test_history_is_read_by_pages_and_searched(make_bus: MakeBus):
    pages = replace(GENEROUS, page=10)
    async with running(make_bus, 1, pages) as (here,), here.visit() as ada:
        await ada.join(ROOM)
        for number in range(25):
            await ada.say(ROOM, f"Message {number}")
        joined = await ada.join(ROOM)
        assert joined["older"]
        seen = [message["text"] for message in joined["messages"]]
        before, older = joined["messages"][0]["id"], True
        while older:
            page = await ada.ask("history", "page", room=ROOM, before=before)
            seen = [message["text"] for message in page["messages"]] + seen
            before, older = page["messages"][0]["id"], "older" in page
        assert seen == [f"Message {number}" for number in range(25)]
        page = await ada.ask("search", "page", room=ROOM, text="mESSAGE 1")
        found = [message["text"] for message in page["messages"]]
        assert found == [f"Message {n}" for n in (1, *range(10, 20))][-10:]
        assert page["older"]


async def test_those_present_are_known_across_instances_and_come_and_go(make_bus: MakeBus):
    async with running(make_bus, 2) as (here, there), here.visit(1, "ada") as ada:
        await ada.join(ROOM)
        async with there.visit(2, "bob") as bob:
            joined = await bob.join(ROOM)
            assert {person["name"] for person in joined["present"]} >= {"bob"}
            came = await ada.get("presence", room=ROOM, count=2)
            assert came["came"] == [{"id": 2, "name": "bob"}]
        went = await ada.get("presence", room=ROOM, count=1)
        assert went["went"] == [2]
        await until(lambda: there.chat.hub.rooms() == [])


async def test_a_person_with_two_windows_is_there_until_the_last_is_closed(make_bus: MakeBus):
    async with running(make_bus, 2) as (here, there), here.visit(1, "ada") as ada:
        await ada.join(ROOM)
        async with there.visit(2, "bob") as one:
            await one.join(ROOM)
            await ada.get("presence", count=2)
            async with here.visit(2, "bob") as other:
                await other.join(ROOM)
            async with there.visit(3, "eve") as eve:
                await eve.join(ROOM)
                assert (await ada.get("presence", count=3))["came"] == [{"id": 3, "name": "eve"}]
        went: list[int] = []
        while len(went) < 2:
            went += (await ada.get("presence"))["went"]
        assert sorted(went) == [2, 3]


async def test_a_client_that_is_cut_off_leaves_every_room_once(make_bus: MakeBus):
    async with running(make_bus) as (here,), here.visit(1, "ada") as ada:
        await ada.join(ROOM)
        async with here.visit(2, "bob") as bob:
            for room in (ROOM, "#two", "#three"):
                await bob.join(room)
            await ada.get("presence", room=ROOM, count=2)
            bob.connection.transport.abort()
            await until(lambda: len(here.chat.hub.clients) == 1)
        assert set(here.chat.hub.rooms()) == {ROOM, "~1"}
        assert (await ada.get("presence", count=1))["went"] == [2]


async def test_a_request_is_answered_across_instances(make_bus: MakeBus):
    async with running(make_bus, 2) as (here, there):
        async with here.visit(1, "ada") as ada, there.visit(2, "bob") as bob:
            await ada.send("request", to=bob.id, body={"n": 6}, ref="q", timeout=10)
            asked = await bob.get("asked")
            assert (asked["sender"], asked["body"]) == (ada.id, {"n": 6})
            assert asked["person"] == {"id": 1, "name": "ada"}
            await bob.send("reply", session=asked["session"], body=[42])
            assert (await ada.get("answered", ref="q"))["body"] == [42]
        sessions = (here.chat.exchange.sessions, there.chat.exchange.sessions)
        await until(lambda: not any(map(len, sessions)))


async def test_a_late_reply_is_counted_and_dropped(make_bus: MakeBus):
    async with running(make_bus, 2) as (here, there):
        async with here.visit(1, "ada") as ada, there.visit(2, "bob") as bob:
            await ada.send("request", to=bob.id, body=1, ref="q", timeout=0.2)
            asked = await bob.get("asked")
            assert (await ada.get("failed", ref="q"))["code"] == "timeout"
            await until(lambda: not len(there.chat.exchange.questions))
            await bob.send("reply", session=asked["session"], body=2)
            await until(lambda: there.chat.exchange.sessions.late == 1)
            assert not len(here.chat.exchange.sessions)
            await ada.join(ROOM)
            assert not [m for m in ada.kept if m["t"] == "answered"]


async def test_a_peer_that_vanishes_ends_the_session_at_once(make_bus: MakeBus):
    async with running(make_bus, 2) as (here, there), here.visit(1, "ada") as ada:
        async with there.visit(2, "bob") as bob:
            await ada.send("request", to=bob.id, body=1, ref="q", timeout=50)
            await bob.get("asked")
            bob.connection.transport.abort()
            assert (await ada.get("failed", ref="q", timeout=5))["code"] == "gone"
        await ada.send("request", to=bob.id, body=1, ref="again", timeout=50)
        assert (await ada.get("failed", ref="again", timeout=5))["code"] == "gone"
        assert not len(here.chat.exchange.sessions)
        assert not len(there.chat.exchange.questions)


async def test_an_asker_that_vanishes_leaves_nothing_behind(make_bus: MakeBus):
    async with running(make_bus, 2) as (here, there), there.visit(2, "bob") as bob:
        async with here.visit(1, "ada") as ada:
            await ada.send("request", to=bob.id, body=1, ref="q", timeout=50)
            await bob.get("asked")
        await until(lambda: not len(there.chat.exchange.questions))
        assert not len(here.chat.exchange.sessions)


async def test_a_ticket_is_good_once_on_whichever_instance(make_bus: MakeBus):
    once = ticket()
    async with running(make_bus, 2) as instances:
        codes = []
        for instance in instances:
            async with connect(instance.url, origin=Origin(ORIGIN)) as connection:
                visitor = Visitor(connection)
                await visitor.send("hello", ticket=once)
                try:
                    await visitor.get("welcome")
                    codes.append(0)
                except ConnectionClosed:
                    codes.append(connection.close_code or -1)
        assert codes == [0, Close.BAD_TICKET]


async def test_a_private_room_is_for_its_members_alone(make_bus: MakeBus):
    async with running(make_bus, 2, GENEROUS) as (here, there):
        async with here.visit(1, "ada") as ada, there.visit(2, "bob") as bob:
            assert (await ada.ask("create", room="+plans"))["t"] == "done"
            assert (await bob.join("+plans"))["code"] == "not_found"
            assert (await bob.ask("create", room="+plans"))["code"] == "forbidden"
            assert (await bob.ask("invite", room="+plans", person=2))["code"] == "not_found"
            with pytest.raises(Refused, match="no such room"):
                await there.bus.publish("+plans", b"{}", person=2)
            await ada.join("+plans")
            assert (await bob.say("+plans", "let me in"))["code"] == "not_found"
            assert (await ada.ask("invite", room="+plans", person=2))["t"] == "done"
            assert (await bob.get("invited"))["room"] == "+plans"
            await bob.join("+plans")
            await ada.say("+plans", "welcome")
            assert await bob.texts("+plans", 1) == ["welcome"]
            assert (await ada.ask("expel", room="+plans", person=2))["t"] == "done"
            await bob.get("expelled", room="+plans")
            assert (await bob.join("+plans"))["code"] == "not_found"
            await ada.say("+plans", "alone")
            await ada.texts("+plans", 2)
            await bob.join(ROOM)
            assert not [m for m in bob.kept if m["t"] == "message"]


async def test_two_people_talk_directly_and_a_third_does_not(make_bus: MakeBus):
    async with running(make_bus, 2, GENEROUS) as (here, there):
        async with here.visit(1, "ada") as ada, there.visit(2, "bob") as bob:
            room = (await ada.ask("direct", person=2))["room"]
            assert room == "@1:2"
            invited = await bob.get("invited", room=room)
            assert invited["names"] == {"1": "ada", "2": "bob"}
            await ada.join(room)
            await bob.join(room)
            await bob.say(room, "psst")
            assert await ada.texts(room, 1) == ["psst"]
            async with here.visit(3, "eve") as eve:
                assert (await eve.join(room))["code"] == "not_found"
                assert (await eve.say(room, "hi"))["code"] == "not_found"
        async with here.visit(1, "ada") as ada:
            assert ada.welcome["rooms"] == [room]
            assert ada.welcome["names"] == {"1": "ada", "2": "bob"}


async def test_an_operator_mutes_and_removes_and_others_may_not(make_bus: MakeBus):
    async with running(make_bus, 2, GENEROUS) as (here, there):
        async with here.visit(1, "ada") as ada:
            async with there.visit(2, "bob", groups=("submitter",)) as bob:
                await ada.join(ROOM)
                await bob.join(ROOM)
                said = await bob.say(ROOM, "something rude")
                assert (await bob.ask("mute", person=1, seconds=60))["code"] == "forbidden"
                refused = await bob.ask("remove", room=ROOM, id=said["id"])
                assert refused["code"] == "forbidden"
                assert (await ada.ask("remove", room=ROOM, id=said["id"]))["t"] == "done"
                removed = await bob.get("removed", room=ROOM)
                assert (removed["message"], removed["by"]) == (said["id"], "ada")
                joined = await bob.join(ROOM)
                assert not [m for m in joined["messages"] if m["t"] == "message"]
                again = await ada.ask("remove", room=ROOM, id=said["id"])
                assert again["code"] == "not_found"
                await ada.ask("mute", person=2, seconds=60)
                assert (await bob.say(ROOM, "rude"))["code"] == "muted"
                await ada.ask("mute", person=2, seconds=0)
                assert (await bob.say(ROOM, "sorry"))["t"] == "done"


async def test_events_of_one_source_are_fed_once(make_bus: MakeBus):
    async with running(make_bus, 2) as (here, there), there.visit() as ada:
        await ada.join("#ops")
        entry = b'{"t":"message","room":"#ops","at":1,"person":{"id":0,"name":"x"},"text":"%d"}'
        assert await here.bus.feed("9-0", [("#ops", entry % 1)])
        assert not await there.bus.feed("9-0", [("#ops", entry % 2)])
        assert await there.bus.feed("10-0", [("#ops", entry % 3)])
        assert not await here.bus.feed("9-5", [("#ops", entry % 4)])
        assert await ada.texts("#ops", 2) == ["1", "3"]
        assert await here.bus.fed() == "10-0"
