"""Rooms with members, and what operators may do to what is said."""

import time
from collections.abc import Sequence

from chatroom.admission import Admission, require_inside
from chatroom.bus import Bus
from chatroom.core import rooms
from chatroom.core.errors import Code, Refused
from chatroom.core.hub import Client
from chatroom.core.messages import Done, Expelled, Invited, Removed, encode
from chatroom.core.requests import Create, Direct, Expel, Invite, Mute, Remove
from chatroom.pace import Pace


class Membership:
    """Direct talks, private rooms and moderation; all of it raises Refused and Unavailable."""

    def __init__(self, bus: Bus, admission: Admission, pace: Pace) -> None:
        self._bus = bus
        self._admission = admission
        self._pace = pace

    async def direct(self, client: Client, asked: Direct) -> Done:
        """Open the room of two people, and tell both of it."""
        room = rooms.direct(client.person.id, asked.person)
        _require_rights(client)
        self._pace.require(client.person.id, "rooms")
        await self._require_known(asked.person)
        for person in rooms.pair(room):
            await self._bus.admit(room, person)
            await self._tell_invited(room, person)
        return Done(asked.ref, room=room)

    async def create(self, client: Client, asked: Create) -> Done:
        """Make a private room."""
        _require_private(asked.room, "The name of a private room begins with +")
        _require_rights(client)
        self._pace.require(client.person.id, "rooms")
        if not await self._bus.create(asked.room, client.person.id):
            raise Refused(Code.FORBIDDEN, "That name is taken")
        await self._tell_invited(asked.room, client.person.id)
        return Done(asked.ref, room=asked.room)

    async def change(self, client: Client, asked: Invite | Expel) -> Done:
        """Let somebody into a private room, or take somebody out."""
        _require_private(asked.room, "Only private rooms have members")
        await self._admission.require_entry(client, asked.room)
        self._pace.require(client.person.id, "rooms")
        if isinstance(asked, Invite):
            await self._require_known(asked.person)
            await self._bus.admit(asked.room, asked.person)
            await self._tell_invited(asked.room, asked.person)
        else:
            await self._bus.expel(asked.room, asked.person)
            await self._bus.publish(rooms.inbox(asked.person), encode(Expelled(asked.room)))
        return Done(asked.ref, room=asked.room)

    async def moderate(self, client: Client, asked: Mute | Remove) -> Done:
        """Silence a person, or take a message out."""
        rooms.require_moderator(client.person)
        if isinstance(asked, Mute):
            await self._bus.mute(asked.person, asked.seconds)
        else:
            require_inside(client, asked.room)
            removed = Removed(asked.room, time.time(), asked.id, client.person.name)
            await self._bus.remove(asked.room, asked.id, encode(removed))
        return Done(asked.ref)

    async def names(self, theirs: Sequence[str]) -> dict[str, str]:
        """What the people of direct rooms are called, by id."""
        people = sorted({id for room in theirs if room[0] == "@" for id in rooms.pair(room)})
        return {str(id): name for id, name in (await self._bus.names(people)).items()}

    async def _tell_invited(self, room: str, person: int) -> None:
        invited = Invited(room, await self.names([room]))
        await self._bus.publish(rooms.inbox(person), encode(invited))

    async def _require_known(self, person: int) -> None:
        if not await self._bus.names([person]):
            raise Refused(Code.NOT_FOUND, "Nobody of that id has ever been here")


def _require_private(room: str, text: str) -> None:
    if rooms.kind(room) is not rooms.Kind.PRIVATE:
        raise Refused(Code.BAD, text)


def _require_rights(client: Client) -> None:
    if not rooms.has_rights(client.person):
        raise Refused(Code.FORBIDDEN, "Your account is in no group of HashWorld's")
