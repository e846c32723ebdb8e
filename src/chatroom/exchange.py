"""Request and reply between clients, over all instances."""

import time
import uuid
from functools import partial

from msgspec import Raw

from chatroom.bus import Bus
from chatroom.core.between import Answer, Ask, BetweenInstances, Drop, Gone
from chatroom.core.errors import Code, Refused
from chatroom.core.hub import Client, Hub
from chatroom.core.limits import Limits
from chatroom.core.messages import Answered, Asked, Failed, Present, encode
from chatroom.core.requests import Reply, Request
from chatroom.core.services import Service
from chatroom.core.sessions import Questions, Session, Sessions, home
from chatroom.work import Work


class Exchange(Service):
    """The sessions that clients here have opened, and the questions that they are asked."""

    def __init__(self, hub: Hub, bus: Bus, work: Work, limits: Limits) -> None:
        self.sessions = Sessions(limits.sessions)
        self.questions = Questions()
        self._hub = hub
        self._bus = bus
        self._work = work
        self._limits = limits

    def request(self, client: Client, request: Request) -> None:
        """Ask another client; its answer, or why there is none, reaches the asker later."""
        session = uuid.uuid4().hex
        settle = partial(self._settle, session, client.id, request)
        timeout = min(request.timeout, self._limits.session_timeout)
        self.sessions.open(
            Session(session, client.id, request.to, settle), time.monotonic() + timeout
        )
        person = Present(client.person.id, client.person.name)
        self._tell(request.to, Ask(session, client.id, person, request.to, request.body))

    def reply(self, client: Client, reply: Reply) -> None:
        """An answer; one that comes late or from somebody else is counted and dropped."""
        asker = self.questions.answered(reply.session, client.id)
        if asker is None:
            self.sessions.late += 1
        else:
            self._tell(asker, Answer(reply.session, client.id, reply.body))

    def told(self, message: BetweenInstances) -> None:
        """From an instance, if only from this one."""
        match message:
            case Ask():
                self._hand_over(message)
            case Answer():
                self.sessions.reply(message.session, message.peer, bytes(message.body))
            case Gone():
                self.sessions.fail(message.session, _gone())
            case Drop():
                self.questions.dropped(message.session)

    def on_disconnect(self, client: str) -> None:
        """End what it asked and what it was asked."""
        self.sessions.gone(client)
        for session, asker in self.questions.gone(client):
            self._tell(asker, Gone(session))

    async def run_once(self) -> None:
        """End the sessions with clients of instances that have died."""
        if others := self.sessions.instances() - {self._bus.instance}:
            for dead in others - await self._bus.instances():
                self.sessions.gone_instance(dead)

    def _hand_over(self, ask: Ask) -> None:
        self.questions.put(ask.session, ask.peer, ask.asker)
        asked = encode(Asked(ask.session, ask.asker, ask.person, ask.body))
        if not self._hub.send(ask.peer, asked):
            self.questions.dropped(ask.session)
            self._tell(ask.asker, Gone(ask.session))

    def _settle(self, session: str, asker: str, request: Request, outcome: bytes | Refused) -> None:
        if isinstance(outcome, bytes):
            self._hub.send(asker, encode(Answered(request.ref, Raw(outcome))))
            return
        self._hub.send(asker, encode(Failed(request.ref, outcome.code, outcome.text)))
        self._tell(request.to, Drop(session))

    def _tell(self, client: str, message: BetweenInstances) -> None:
        """To the instance of a client."""
        if home(client) == self._bus.instance:
            self.told(message)
        else:
            self._work.start(self._send(home(client), message), "telling another instance")

    async def _send(self, instance: str, message: BetweenInstances) -> None:
        try:
            await self._bus.tell(instance, encode(message))
        except Refused as error:
            if isinstance(message, Ask):
                self.sessions.fail(message.session, error)
            else:
                raise


def _gone() -> Refused:
    return Refused(Code.GONE, "The other side is gone")
