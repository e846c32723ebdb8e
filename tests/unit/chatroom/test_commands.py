"""Commands: what is typed, what is asked of the cluster, what the room is told."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from chatroom.cards import job_card
from chatroom.chat import Chat
from chatroom.cluster import Fetched, JobState
from chatroom.commands import Commands, parse
from chatroom.core.errors import Code, Refused, Unavailable
from tests.chatting import Instance, memory, running, until

ROOM = "#lobby"


class Played:
    """A cluster that notes who asked for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.gate = asyncio.Event()
        self.error: Refused | None = None

    def _note(self, *asked: object) -> None:
        self.asked.append(tuple(map(str, asked)))
        if self.error:
            raise self.error

    async def fetch(self, token: str, urls: Sequence[str], name: str) -> Fetched:
        self._note(token, "fetch", *urls, name)
        return Fetched(7, len(urls))

    async def job(self, token: str, job: int) -> JobState:
        self._note(token, "job", job)
        return JobState(job, "", 4, 1, 1, 0, False, "paused")

    async def watch(self, token: str, job: int) -> AsyncIterator[JobState]:
        self._note(token, "watch", job)
        await self.gate.wait()
        yield JobState(job, "", 2, 2, 0, 0, True)

    async def _told(self, token: str, *asked: object) -> str:
        self._note(token, *asked)
        return f"Done: {asked[0]} {asked[1]}."

    async def kill(self, token: str, job: int, reason: str) -> str:
        return await self._told(token, "kill", job, reason)

    async def retry(self, token: str, job: int, reason: str) -> str:
        return await self._told(token, "retry", job, reason)

    async def drain(self, token: str, node: str, reason: str) -> str:
        return await self._told(token, "drain", node, reason)

    async def pause(self, token: str, host: str, reason: str) -> str:
        return await self._told(token, "pause", host, reason)

    async def resume(self, token: str, host: str, reason: str) -> str:
        return await self._told(token, "resume", host, reason)

    async def why(self, token: str, task: int) -> Sequence[tuple[str, str]]:
        self._note(token, "why", task)
        return [("Why", "it waits")]

    async def nodes(self, token: str) -> Sequence[tuple[str, str]]:
        self._note(token, "nodes")
        await self.gate.wait()
        return [("n1", "alive")]


def played(instance: Instance, timeout: float = 10.0) -> Played:
    cluster = Played()
    chat: Chat = instance.chat
    chat.services.register("commands", Commands(chat, chat.work, cluster, timeout))
    return cluster


@pytest.mark.parametrize(
    ("text", "helps"),
    [
        ("/", "/help"),
        ("/kil 3", "did you mean /kill N?"),
        ("/xyzzy", "/help tells"),
        ("/kill", "It is used like this: /kill N"),
        ("/kill 3 4", "It is used like this: /kill N"),
        ("/fetch", "/fetch URL..."),
        ('/fetch "http://x', "quotes"),
    ],
)
def test_a_wrong_command_gets_one_line_that_helps(text: str, helps: str):
    with pytest.raises(Refused) as caught:
        parse(text)
    assert helps in caught.value.text
    assert "\n" not in caught.value.text


def test_a_command_is_taken_apart():
    assert parse("/fetch http://a  'http://b c'") == ("fetch", ["http://a", "http://b c"])


@pytest.mark.parametrize(
    ("state", "title", "tone"),
    [
        (JobState(1, "", 5, 2, 0, 0, False), "Job 1 running", "info"),
        (JobState(1, "", 5, 5, 0, 0, True), "Job 1 succeeded", "good"),
        (JobState(1, "", 5, 3, 2, 0, True), "Job 1 finished with failures", "bad"),
        (JobState(1, "", 5, 3, 0, 2, True), "Job 1 killed", "warn"),
        (JobState(1, "", 0, 0, 0, 0, True), "Job 1 succeeded", "good"),
    ],
)
def test_a_job_is_shown_as_it_stands(state: JobState, title: str, tone: str):
    card = job_card(state)
    assert (card.title, card.tone, card.key) == (title, tone, "job-1")


async def test_a_fetch_is_asked_for_with_the_speakers_rights_and_its_card_follows_the_job():
    async with running(memory()) as (here,):
        cluster = played(here)
        async with here.visit(1, token="hw_adas") as ada, here.visit(2, "bob") as bob:
            await ada.join(ROOM)
            await bob.join(ROOM)
            assert (await ada.say(ROOM, "/fetch http://a http://b"))["t"] == "done"
            shown = await bob.get("message", room=ROOM)
            assert shown["person"]["name"] == "ada"
            assert (shown["card"]["title"], shown["card"]["key"]) == ("Job 7 running", "job-7")
            cluster.gate.set()
            later = await bob.get("message", room=ROOM)
            assert (later["card"]["title"], later["card"]["tone"]) == ("Job 7 succeeded", "good")
            assert {asked[0] for asked in cluster.asked} == {"hw_adas"}
            assert cluster.asked[0][2:] == ("http://a", "http://b", "ada in #lobby")


@pytest.mark.parametrize("command", ["kill 3", "retry #3", "drain n1", "pause a.example"])
async def test_acts_say_who_asked_for_them(command: str):
    async with running(memory()) as (here,):
        cluster = played(here)
        async with here.visit() as ada:
            await ada.join(ROOM)
            await ada.say(ROOM, f"/{command}")
            verb, what = command.replace("#", "").split()
            assert cluster.asked == [("", verb, what, "asked for by ada in #lobby")]
            assert (await ada.get("message"))["card"]["title"] == f"Done: {verb} {what}."


async def test_what_the_cluster_refuses_the_speaker_alone_is_told():
    async with running(memory()) as (here,):
        cluster = played(here)
        cluster.error = Refused(Code.FORBIDDEN, "You may not kill job 3.")
        async with here.visit() as ada:
            await ada.join(ROOM)
            assert (await ada.say(ROOM, "/kill 3"))["text"] == "You may not kill job 3."
            cluster.error = Unavailable("away")
            assert (await ada.say(ROOM, "/job 3"))["code"] == "unavailable"
            assert (await ada.say(ROOM, "/kill three"))["code"] == "bad"
            assert not [m for m in ada.kept if m["t"] == "message"]
        assert not len(here.chat.exchange.sessions)


async def test_a_command_that_takes_too_long_is_given_up_and_its_answer_dropped():
    async with running(memory()) as (here,):
        cluster = played(here, timeout=0.2)
        idle = len(here.chat.work)
        async with here.visit() as ada:
            await ada.join(ROOM)
            assert (await ada.say(ROOM, "/nodes"))["code"] == "timeout"
            await until(lambda: len(here.chat.work) == idle)
            cluster.gate.set()
            await ada.say(ROOM, "x")
            assert [m.get("card") for m in ada.kept if m["t"] == "message"] == [None]


async def test_a_command_ends_with_the_client_that_gave_it():
    async with running(memory()) as (here,):
        cluster = played(here)
        idle = len(here.chat.work)
        async with here.visit() as ada:
            await ada.join(ROOM)
            await ada.send("say", room=ROOM, text="/nodes", ref="n")
            await until(lambda: cluster.asked)
            assert len(here.chat.exchange.sessions) == 1
        await until(lambda: not len(here.chat.exchange.sessions) and len(here.chat.work) == idle)


async def test_who_is_muted_commands_nothing():
    async with running(memory()) as (here,):
        cluster = played(here)
        async with here.visit() as ada:
            await ada.join(ROOM)
            await here.bus.mute(1, 60)
            assert (await ada.say(ROOM, "/kill 3"))["code"] == "muted"
            assert cluster.asked == []


async def test_the_room_of_a_job_is_for_those_who_may_see_the_job():
    async with running(memory()) as (here,):
        cluster = played(here)
        async with here.visit(1, token="hw_adas") as ada:
            assert (await ada.join("#job-3"))["t"] == "joined"
            cluster.error = Refused(Code.NOT_FOUND, "There is no job 4.")
            assert (await ada.join("#job-4"))["code"] == "not_found"
            assert cluster.asked[0] == ("hw_adas", "job", "3")


async def test_help_is_for_the_asker_alone():
    async with running(memory()) as (here,):
        played(here)
        async with here.visit() as ada:
            assert {command["name"] for command in ada.welcome["commands"]} >= {"fetch", "why"}
            await ada.join(ROOM)
            told = await ada.ask("say", "told", room=ROOM, text="/help")
            assert len(told["card"]["lines"]) == len(ada.welcome["commands"])
            assert not [m for m in ada.kept if m["t"] == "message"]
