"""The chatroom of one instance: what becomes of each thing that a client sends."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import msgspec

from chatroom.admission import Admission, require_inside
from chatroom.bus import REFRESH_EVERY, Bus
from chatroom.core import between, messages, requests, rooms
from chatroom.core.errors import Code, Refused, Unavailable
from chatroom.core.hub import Client, Hub, Numbered, Port
from chatroom.core.limits import Limits
from chatroom.core.messages import (
    Done,
    Failed,
    Joined,
    Left,
    Message,
    Present,
    Renewed,
    Welcome,
    encode,
)
from chatroom.core.requests import (
    Create,
    Direct,
    Expel,
    FromClient,
    Hello,
    History,
    Invite,
    Join,
    Leave,
    Mute,
    Remove,
    Reply,
    Request,
    Say,
    Search,
)
from chatroom.core.services import Services
from chatroom.core.tickets import Claims
from chatroom.exchange import Exchange
from chatroom.history import Archive, raw
from chatroom.membership import Membership
from chatroom.pace import Pace
from chatroom.presence import Attendance, named
from chatroom.work import Work

#: Seconds between two looks at which sessions' time is over.
TICK = 0.1

log = logging.getLogger(__name__)


class Chat:
    """Takes what clients send, and what the bus tells; see `chatroom.bus.Listener`."""

    def __init__(
        self, bus: Bus, limits: Limits, key: str, frame: Callable[[bytes], bytes] = bytes
    ) -> None:
        self.bus = bus
        self.limits = limits
        self.services = Services(_log_failure)
        self.hub = Hub(self.services, limits, frame)
        self.work = Work()
        self.exchange = Exchange(self.hub, bus, self.work, limits)
        self.attendance = Attendance(self.hub, bus, limits.told_present)
        self.services.register("presence", self.attendance)
        self.services.register("sessions", self.exchange)
        self.pace = Pace(limits)
        self.admission = Admission(bus, key)
        self.membership = Membership(bus, self.admission, self.pace)
        self.archive = Archive(bus, limits, self.pace)
        self.commands: tuple[messages.Command, ...] = ()
        self.said = 0
        self.refused = 0

    async def start(self) -> None:
        """Reach the bus and begin to work."""
        await self.bus.start(self)
        self.work.start(self.attendance.run(), "presence")
        self.work.start(self._tick(), "sessions")

    async def stop(self) -> None:
        """Say goodbye to the bus, with whatever clients are still here."""
        await self.work.stop()
        await self.bus.stop()

    async def admit(self, ticket: str, port: Port) -> Client:
        """A new client, for a ticket; raises BadTicket, Refused or Unavailable."""
        claims = await self.admission.check(ticket)
        mine = self.hub.of_person(claims.id)
        if len(mine) >= self.limits.per_user:
            raise Refused(Code.TOO_MANY, f"You have {self.limits.per_user} connections already")
        client = Client(f"{self.bus.instance}.{uuid.uuid4().hex[:12]}", claims.person, port)
        self.hub.connect(client)
        self.admission.stands(client, claims)
        try:
            await self._welcome(client, claims)
        except BaseException:
            self.depart(client)
            raise
        return client

    def depart(self, client: Client) -> None:
        """The client is gone, cleanly or not; the second time nothing happens."""
        self.admission.forget(client.id)
        for room in self.hub.disconnect(client.id):
            self.bus.unfollow(room)

    async def handle(self, client: Client, data: str | bytes) -> None:
        """Do what a client asks; what is refused is answered and changes nothing."""
        ref = ""
        try:
            message = requests.decode(data)
            ref = getattr(message, "ref", "")
            await self._handle(client, message)
        except msgspec.DecodeError as error:
            self._fail(client, ref, Refused(Code.BAD, f"This message cannot be read: {error}"))
        except Refused as error:
            self._fail(client, ref, error)

    async def _handle(self, client: Client, message: FromClient) -> None:
        match message:
            case Say():
                await self._say(client, message)
            case Join():
                await self._join(client, message)
            case Leave():
                self._leave(client, message.room)
                self._answer(client, Left(message.room, message.ref))
            case History():
                self._answer(client, await self.archive.page(client, message))
            case Search():
                self._answer(client, await self.archive.search(client, message))
            case Direct():
                self._answer(client, await self.membership.direct(client, message))
            case Create():
                self._answer(client, await self.membership.create(client, message))
            case Invite() | Expel():
                self._answer(client, await self.membership.change(client, message))
            case Mute() | Remove():
                self._answer(client, await self.membership.moderate(client, message))
            case Request():
                self.pace.require(client.person.id)
                self.exchange.request(client, message)
            case Reply():
                self.exchange.reply(client, message)
            case Hello():
                self._answer(client, Renewed(await self.admission.renew(client, message)))

    async def _welcome(self, client: Client, claims: Claims) -> None:
        person = client.person
        inbox = rooms.inbox(person.id)
        self.hub.enter(client, inbox)
        await self.bus.follow(inbox)
        await self.bus.remember_name(person.id, person.name)
        theirs = await self.bus.rooms_of(person.id)
        welcome = Welcome(
            client=client.id,
            person=person,
            moderator=rooms.may_moderate(person),
            epoch=self.bus.epoch,
            up=self.bus.up,
            rooms=tuple(theirs),
            names=await self.membership.names(theirs),
            commands=self.commands,
            seconds=claims.session,
            text=self.limits.text,
        )
        self.hub.settle(client, inbox, encode(welcome), "0-0")

    async def _join(self, client: Client, join: Join) -> None:
        room = join.room
        await self.admission.require_entry(client, room)
        self.hub.enter(client, room)
        try:
            await self.bus.follow(room)
            found = await self.bus.recover(room, join.since)
            told = await self.attendance.picture(room)
        except BaseException:
            self._leave(client, room)
            raise
        present = {client.person.id: client.person.name, **told}
        joined = Joined(
            room=room,
            epoch=self.bus.epoch,
            recovered=found.whole,
            messages=raw(found.entries),
            last=found.last,
            present=tuple(named(present, islice(present, self.limits.told_present))),
            count=len(present),
            older=found.older,
            ref=join.ref,
        )
        self.hub.settle(client, room, encode(joined), found.last)

    def _leave(self, client: Client, room: str) -> None:
        if self.hub.leave(client, room):
            self.bus.unfollow(room)

    async def _say(self, client: Client, say: Say) -> None:
        require_inside(client, say.room)
        if len(say.text) > self.limits.text:
            raise Refused(Code.TOO_LONG, f"At most {self.limits.text} characters")
        self.pace.require(client.person.id)
        if say.text.startswith("/"):
            await self.bus.require_may_say(say.room, client.person.id)
            if self.services.take(client.id, say.room, say.text, say.ref):
                return
        id = await self.publish(client, say.room, say.text, ref=say.ref)
        self._answer(client, Done(say.ref, id))

    async def publish(
        self,
        client: Client,
        room: str,
        text: str,
        card: messages.Card | None = None,
        ref: str = "",
    ) -> str:
        """Say something in a client's name; the id that it got."""
        person = Present(client.person.id, client.person.name)
        entry = Message(room, time.time(), person, client.id, text, card, ref)
        id = await self.bus.publish(room, encode(entry), client.person.id)
        self.said += 1
        return id

    async def publish_card(self, room: str, card: messages.Card) -> str:
        """Say something in the cluster's name; the id that it got."""
        entry = Message(room, time.time(), messages.CLUSTER, card=card)
        return await self.bus.publish(room, encode(entry))

    def _answer(self, client: Client, message: msgspec.Struct) -> None:
        self.hub.send(client.id, encode(message))

    def _fail(self, client: Client, ref: str, error: Refused) -> None:
        self.refused += 1
        self._answer(client, Failed(ref, error.code, error.text))

    async def _tick(self) -> None:
        looked = 0.0
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            self.exchange.sessions.expire(now)
            if now - looked > REFRESH_EVERY:
                looked = now
                self.pace.forget(now)
                try:
                    await self.exchange.run_once()
                except Unavailable:
                    continue  # their time-outs end the sessions meanwhile

    # What the bus tells.

    def on_entries(self, room: str, entries: Sequence[Numbered]) -> None:
        """Deliver; somebody who is expelled leaves."""
        self.hub.deliver(room, entries)
        if room.startswith("~"):
            for _, data in entries:
                self._obey(int(room[1:]), data)

    def _obey(self, person: int, data: bytes) -> None:
        told = msgspec.json.decode(data)
        if told["t"] == "expelled":
            for client in self.hub.of_person(person):
                self._leave(client, told["room"])

    def on_told(self, data: bytes) -> None:
        """From another instance."""
        self.exchange.told(between.decode(data))

    def on_presence(self, room: str) -> None:
        """Look who is there, soon."""
        self.attendance.changed(room)

    def on_away(self) -> None:
        """Tell everybody that nothing can be said."""
        self.hub.send_all(encode(messages.Bus(False, self.bus.epoch)))

    def on_back(self) -> None:
        """Tell everybody that it can be again."""
        self.hub.send_all(encode(messages.Bus(True, self.bus.epoch)))

    def people(self) -> Mapping[str, Mapping[int, str]]:
        """Who is in which rooms here; inboxes are nobody's business."""
        return {room: self.hub.people(room) for room in self.hub.rooms() if room[0] != "~"}


def _log_failure(hook: str, error: Exception) -> None:
    log.error("%s failed", hook, exc_info=error)
