"""What people type: a slash, a command, its arguments. The answer is a card in the room."""

import asyncio
import shlex
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial

import msgspec

from chatroom.cards import job_card, job_link
from chatroom.chat import Chat
from chatroom.cluster import Cluster, JobState
from chatroom.core.errors import Code, Refused, Unavailable
from chatroom.core.hub import Client
from chatroom.core.messages import Card, Command, Done, Failed, Line, Told, encode
from chatroom.core.services import Service
from chatroom.core.sessions import Session
from chatroom.work import Work

#: Seconds a command may take.
TIMEOUT = 20.0
#: Seconds between two states of a card that follows a job, and for how long it does.
CARD_EVERY = 1.0
FOLLOWED_FOR = 3600.0

KNOWN = (
    Command("fetch", "/fetch URL...", "Fetch these URLs as one job."),
    Command("job", "/job N", "How job N stands."),
    Command("kill", "/kill N", "Kill what is left of job N."),
    Command("retry", "/retry N", "Run the failed tasks of job N again."),
    Command("why", "/why N", "Why task N is where it is, and what helps."),
    Command("nodes", "/nodes", "The nodes and what they do."),
    Command("drain", "/drain NODE", "Let a node finish what it has and take nothing new."),
    Command("pause", "/pause HOST", "Fetch nothing from a host until it is resumed."),
    Command("resume", "/resume HOST", "Fetch from a paused host again."),
    Command("help", "/help", "What can be typed here."),
)


@dataclass(slots=True)
class Spoken:
    """A command that somebody gave."""

    client: Client
    token: str
    room: str
    text: str
    ref: str
    arguments: list[str] = field(default_factory=list)


Answer = Callable[[Spoken], Awaitable[Card]]


class Commands(Service):
    """Runs commands as sessions with a time-out: what is not done in time is given up."""

    def __init__(self, chat: Chat, work: Work, cluster: Cluster, timeout: float = TIMEOUT) -> None:
        self.following: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._chat = chat
        self._work = work
        self._cluster = cluster
        self._timeout = timeout
        self._peer = f"{chat.bus.instance}.commands"
        self._answers: dict[str, Answer] = {
            "fetch": self._fetch,
            "job": self._job,
            "why": self._why,
            "nodes": self._nodes,
            "kill": partial(self._act, cluster.kill, number=True),
            "retry": partial(self._act, cluster.retry, number=True),
            "drain": partial(self._act, cluster.drain, number=False),
            "pause": partial(self._act, cluster.pause, number=False),
            "resume": partial(self._act, cluster.resume, number=False),
        }
        chat.commands = KNOWN
        chat.admission.may_see_job = cluster.job

    def on_message(self, client: str, room: str, text: str, ref: str) -> bool:
        """Take what begins with a slash; a wrong command is refused with one line that helps."""
        if not text.startswith("/"):
            return False
        name, arguments = parse(text)
        spoken = Spoken(
            self._chat.hub.clients[client],
            self._chat.admission.token(client),
            *(room, text, ref, arguments),
        )
        if name == "help":
            lines = tuple(Line(command.usage, command.help) for command in KNOWN)
            told = Told(room, Card("Commands", lines=lines), ref)
            self._chat.hub.send(client, encode(told))
            return True
        self._open(spoken, self._answers[name])
        return True

    def _open(self, spoken: Spoken, answer: Answer) -> None:
        id = uuid.uuid4().hex
        tasks: list[asyncio.Task[None]] = []

        def settle(outcome: bytes | Refused) -> None:
            if isinstance(outcome, bytes):
                self._work.start(self._publish(spoken, outcome), "a command's answer")
                return
            for task in tasks:
                task.cancel()
            failed = Failed(spoken.ref, outcome.code, outcome.text)
            self._chat.hub.send(spoken.client.id, encode(failed))

        sessions = self._chat.exchange.sessions
        session = Session(id, spoken.client.id, self._peer, settle)
        sessions.open(session, time.monotonic() + self._timeout)
        tasks.append(self._work.start(self._run(id, spoken, answer), f"command {spoken.text}"))

    async def _run(self, session: str, spoken: Spoken, answer: Answer) -> None:
        sessions = self._chat.exchange.sessions
        try:
            card = await answer(spoken)
        except Refused as error:
            sessions.fail(session, error)
        except BaseException:
            sessions.fail(session, Refused(Code.UNAVAILABLE, "The command failed"))
            raise
        else:
            sessions.reply(session, self._peer, encode(card))

    async def _publish(self, spoken: Spoken, card: bytes) -> None:
        decoded = msgspec.json.decode(card, type=Card)
        try:
            id = await self._chat.publish(
                spoken.client, spoken.room, spoken.text, decoded, spoken.ref
            )
        except Refused as error:
            told: Done | Failed = Failed(spoken.ref, error.code, error.text)
        else:
            told = Done(spoken.ref, id)
        self._chat.hub.send(spoken.client.id, encode(told))

    async def _fetch(self, spoken: Spoken) -> Card:
        name = f"{spoken.client.person.name} in {spoken.room}"
        found = await self._cluster.fetch(spoken.token, spoken.arguments, name)
        if not found.accepted:
            raise Refused(Code.BAD, "; ".join(found.refusals) or "Nothing to fetch")
        # Known to all: the room is where the card is followed.
        self._follow(spoken, found.job)
        lines = tuple(Line("Refused", refusal) for refusal in found.refusals[:5])
        state = JobState(found.job, "", found.accepted, 0, 0, 0, False)
        return msgspec.structs.replace(job_card(state), lines=(*job_card(state).lines, *lines))

    async def _job(self, spoken: Spoken) -> Card:
        return job_card(await self._cluster.job(spoken.token, number_of(spoken, "job")))

    async def _why(self, spoken: Spoken) -> Card:
        task = number_of(spoken, "task")
        lines = tuple(Line(*pair) for pair in await self._cluster.why(spoken.token, task))
        return Card(f"Task {task}", lines=lines, link=f"/admin/tasks/task/{task}/change/")

    async def _nodes(self, spoken: Spoken) -> Card:
        lines = tuple(Line(*pair) for pair in await self._cluster.nodes(spoken.token))
        title = f"{len(lines)} node{'' if len(lines) == 1 else 's'}"
        return Card(title, "info" if lines else "warn", lines, "/admin/nodes/node/")

    async def _act(
        self, verb: Callable[..., Awaitable[str]], spoken: Spoken, *, number: bool
    ) -> Card:
        reason = f"asked for by {spoken.client.person.name} in {spoken.room}"
        if number:
            job = number_of(spoken, "job")
            told = await verb(spoken.token, job, reason)
            return Card(told, "warn", link=job_link(job))
        return Card(await verb(spoken.token, spoken.arguments[0], reason), "warn")

    def _follow(self, spoken: Spoken, job: int) -> None:
        """Keep the card of the job up to date in the room where it was begun."""
        key = spoken.room, job
        if key in self.following or len(self.following) >= self._chat.limits.following:
            return
        task = self._work.start(self._update(spoken, job), f"following job {job}")
        self.following[key] = task
        task.add_done_callback(lambda _: self.following.pop(key, None))

    async def _update(self, spoken: Spoken, job: int) -> None:
        shown, last = -1, 0.0
        with suppress(TimeoutError):  # whoever looks for longer looks at the job's page
            async with asyncio.timeout(FOLLOWED_FOR):
                async for state in self._cluster.watch(spoken.token, job):
                    now = time.monotonic()
                    if state.finished or (state.done > shown and now - last > CARD_EVERY):
                        shown, last = state.done, now
                        await self._show(spoken, state)

    async def _show(self, spoken: Spoken, state: JobState) -> None:
        try:
            await self._chat.publish_card(spoken.room, job_card(state))
        except Unavailable:
            if state.finished:
                raise


def parse(text: str) -> tuple[str, list[str]]:
    """The command's name and its arguments; raises Refused with a line that helps."""
    try:
        name, *arguments = shlex.split(text[1:]) or [""]
    except ValueError as error:
        raise Refused(Code.BAD, f"The quotes do not close: {error}") from error
    usages = {command.name: command.usage for command in KNOWN}
    if name not in usages:
        close = get_close_matches(name, usages, n=1)
        hint = f"did you mean {usages[close[0]]}?" if close else "/help tells what there is"
        raise Refused(Code.NOT_FOUND, f"There is no command /{name}: {hint}")
    wanted = usages[name].count(" ")
    many = usages[name].endswith("...")
    if len(arguments) < wanted or (len(arguments) > wanted and not many):
        raise Refused(Code.BAD, f"It is used like this: {usages[name]}")
    return name, arguments


def number_of(spoken: Spoken, what: str) -> int:
    """The number that a command was given; raises Refused."""
    given = spoken.arguments[0].lstrip("#")
    if not (given.isascii() and given.isdigit()) or len(given) > 18:
        raise Refused(Code.BAD, f"{spoken.arguments[0]!r} is not the number of a {what}")
    return int(given)
