"""The chatroom of one instance: what becomes of each thing that a client sends."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec
from msgspec import Raw

from chatroom.bus import REFRESH_EVERY, Bus
from chatroom.core import messages, rooms
from chatroom.core.errors import BadTicket, Code, Refused, Unavailable
from chatroom.core.hub import Client, Hub, Numbered, Port
from chatroom.core.limits import Limits
from chatroom.core.messages import (
    Create,
    Direct,
    Done,
    Expel,
    Expelled,
    Failed,
    FromClient,
    Hello,
    History,
    Invite,
    Invited,
    Join,
    Joined,
    Leave,
    Left,
    Message,
    Mute,
    Page,
    Present,
    Remove,
    Removed,
    Renewed,
    Reply,
    Request,
    Say,
    Search,
    Welcome,
    encode,
    numbered,
)
from chatroom.core.rates import Rates
from chatroom.core.services import Services
from chatroom.core.tickets import Claims, verify
from chatroom.exchange import Exchange
from chatroom.presence import Attendance, named
from chatroom.work import Work

#: Seconds between two looks at which sessions' time is over.
TICK = 0.1

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Standing:
    """What a client's last ticket said, and until when it holds (monotonic)."""

    claims: Claims
    until: float


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
        self.standings: dict[str, Standing] = {}
        self.commands: tuple[messages.Command, ...] = ()
        #: Raises Refused for a job that the owner of a token may not see.
        self.may_see_job: Callable[[str, int], Awaitable[object]] | None = None
        self.said = 0
        self.refused = 0
        self._key = key
        self._rates = Rates(limits.messages, limits.message_burst)

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
        claims = await self._checked(ticket)
        mine = self.hub.of_person(claims.id)
        if len(mine) >= self.limits.per_user:
            raise Refused(Code.TOO_MANY, f"You have {self.limits.per_user} connections already")
        client = Client(f"{self.bus.instance}.{uuid.uuid4().hex[:12]}", claims.person, port)
        self.hub.connect(client)
        self._stands(client, claims)
        try:
            await self._welcome(client, claims)
        except BaseException:
            self.depart(client)
            raise
        return client

    def depart(self, client: Client) -> None:
        """The client is gone, cleanly or not; the second time nothing happens."""
        self.standings.pop(client.id, None)
        for room in self.hub.disconnect(client.id):
            self.bus.unfollow(room)

    async def handle(self, client: Client, data: str | bytes) -> None:
        """Do what a client asks; what is refused is answered and changes nothing."""
        ref = ""
        try:
            message = messages.decode(data)
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
                await self._history(client, message)
            case Search():
                await self._search(client, message)
            case Direct():
                await self._direct(client, message)
            case Create():
                await self._create(client, message)
            case Invite() | Expel():
                await self._change_members(client, message)
            case Mute() | Remove():
                await self._moderate(client, message)
            case Request():
                self._slow_down(client)
                self.exchange.request(client, message)
            case Reply():
                self.exchange.reply(client, message)
            case Hello():
                await self._renew(client, message)

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
            names=await self._names(theirs),
            commands=self.commands,
            seconds=claims.session,
            text=self.limits.text,
        )
        self.hub.settle(client, inbox, encode(welcome), "0-0")

    async def _renew(self, client: Client, hello: Hello) -> None:
        try:
            claims = await self._checked(hello.ticket)
        except BadTicket as error:
            raise Refused(Code.FORBIDDEN, str(error)) from error
        if claims.id != client.person.id:
            raise Refused(Code.FORBIDDEN, "That is another person's ticket")
        client.person = claims.person
        self._stands(client, claims)
        self._answer(client, Renewed(claims.session))

    async def _join(self, client: Client, join: Join) -> None:
        room = join.room
        await self._require_entry(client, room)
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
            messages=_raw(found.entries),
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
        self._require_inside(client, say.room)
        if len(say.text) > self.limits.text:
            raise Refused(Code.TOO_LONG, f"At most {self.limits.text} characters")
        self._slow_down(client)
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

    async def _history(self, client: Client, asked: History) -> None:
        self._require_inside(client, asked.room)
        self._slow_down(client, "history", 10.0)
        page = self.limits.page
        found = await self.bus.before(asked.room, asked.before, page + 1)
        older = len(found) > page
        self._answer(client, Page(asked.room, _raw(found[-page:]), older, asked.ref))

    async def _search(self, client: Client, asked: Search) -> None:
        self._require_inside(client, asked.room)
        self._slow_down(client, "search")
        last = f"{2**63}-0"
        wanted = asked.text.casefold()
        kept = await self.bus.before(asked.room, last, self.limits.kept * 2)
        found = [entry for entry in kept if wanted in _searchable(entry[1])]
        page = self.limits.page
        self._answer(client, Page(asked.room, _raw(found[-page:]), len(found) > page, asked.ref))

    async def _direct(self, client: Client, asked: Direct) -> None:
        room = rooms.direct(client.person.id, asked.person)
        if not rooms.has_rights(client.person):
            raise Refused(Code.FORBIDDEN, "Your account is in no group of HashWorld's")
        self._slow_down(client, "rooms")
        names = await self.bus.names([asked.person])
        if not names:
            raise Refused(Code.NOT_FOUND, "Nobody of that id has ever been here")
        for person in rooms.pair(room):
            await self.bus.admit(room, person)
            await self._invite(room, person)
        self._answer(client, Done(asked.ref, room=room))

    async def _create(self, client: Client, asked: Create) -> None:
        if rooms.kind(asked.room) is not rooms.Kind.PRIVATE:
            raise Refused(Code.BAD, "The name of a private room begins with +")
        if not rooms.has_rights(client.person):
            raise Refused(Code.FORBIDDEN, "Your account is in no group of HashWorld's")
        self._slow_down(client, "rooms")
        if not await self.bus.create(asked.room, client.person.id):
            raise Refused(Code.FORBIDDEN, "That name is taken")
        await self._invite(asked.room, client.person.id)
        self._answer(client, Done(asked.ref, room=asked.room))

    async def _change_members(self, client: Client, asked: Invite | Expel) -> None:
        if rooms.kind(asked.room) is not rooms.Kind.PRIVATE:
            raise Refused(Code.BAD, "Only private rooms have members")
        await self._require_entry(client, asked.room)
        self._slow_down(client, "rooms")
        if isinstance(asked, Invite):
            if not await self.bus.names([asked.person]):
                raise Refused(Code.NOT_FOUND, "Nobody of that id has ever been here")
            await self.bus.admit(asked.room, asked.person)
            await self._invite(asked.room, asked.person)
        else:
            await self.bus.expel(asked.room, asked.person)
            inbox = rooms.inbox(asked.person)
            await self.bus.publish(inbox, encode(Expelled(asked.room)))
        self._answer(client, Done(asked.ref, room=asked.room))

    async def _invite(self, room: str, person: int) -> None:
        invited = Invited(room, await self._names([room]))
        await self.bus.publish(rooms.inbox(person), encode(invited))

    async def _moderate(self, client: Client, asked: Mute | Remove) -> None:
        rooms.require_moderator(client.person)
        if isinstance(asked, Mute):
            await self.bus.mute(asked.person, asked.seconds)
        else:
            self._require_inside(client, asked.room)
            removed = Removed(asked.room, time.time(), asked.id, client.person.name)
            await self.bus.remove(asked.room, asked.id, encode(removed))
        self._answer(client, Done(asked.ref))

    async def _names(self, theirs: Sequence[str]) -> dict[str, str]:
        people = sorted({id for room in theirs if room[0] == "@" for id in rooms.pair(room)})
        return {str(id): name for id, name in (await self.bus.names(people)).items()}

    async def _checked(self, ticket: str) -> Claims:
        claims = verify(ticket, self._key, time.time())
        if not await self.bus.use_ticket(claims.jti):
            raise BadTicket("the ticket was used before")
        return claims

    async def _require_entry(self, client: Client, room: str) -> None:
        private = rooms.kind(room) is rooms.Kind.PRIVATE
        member = private and await self.bus.is_member(room, client.person.id)
        rooms.require_entry(client.person, room, is_member=member)
        job = rooms.job_of(room)
        if job is not None and self.may_see_job is not None:
            await self.may_see_job(self.standings[client.id].claims.token, job)

    def _require_inside(self, client: Client, room: str) -> None:
        rooms.kind(room)  # an inbox is no room to talk in, though its owner is in it
        if room not in client.rooms:
            raise Refused(Code.NOT_FOUND, f"You are not in {room}")

    def _slow_down(self, client: Client, what: str = "say", times: float = 1.0) -> None:
        now = time.monotonic() * times
        if wait := self._rates.take((client.person.id, what), now):
            raise Refused(Code.TOO_FAST, f"Not so fast: again in {wait / times:.1f} s")

    def _stands(self, client: Client, claims: Claims) -> None:
        self.standings[client.id] = Standing(claims, time.monotonic() + claims.session)

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
                self._rates.forget(now)
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
        self.exchange.told(messages.decode_between(data))

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


def _raw(entries: Sequence[Numbered]) -> tuple[Raw, ...]:
    return tuple(Raw(numbered(id, data)) for id, data in entries)


def _searchable(data: bytes) -> str:
    entry = messages.decode_entry(data)
    if not isinstance(entry, Message):
        return ""
    card = entry.card
    lines = [f"{line.label} {line.value}" for line in card.lines] if card else []
    return "\n".join([entry.text, card.title if card else "", *lines]).casefold()
