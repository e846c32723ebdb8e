"""Who is where: told to the bus as people come and go, and to clients once a second at most."""

import asyncio
import time
from collections.abc import Iterable

from chatroom.bus import REFRESH_EVERY, Bus
from chatroom.core.errors import Unavailable
from chatroom.core.hub import Hub
from chatroom.core.messages import Presence, Present, encode
from chatroom.core.services import Service

#: Seconds between two looks at what changed.
EVERY = 0.25
#: Clients of a room are told no more often, however many come and go.
TOLD_EVERY = 1.0


class Attendance(Service):
    """Keeps the bus's record and the clients' picture alike with who is in the hub's rooms.

    What changed is only marked, and then looked at: so however fast people come and go, and
    whatever failed before, the record ends as the hub is.
    """

    def __init__(self, hub: Hub, bus: Bus, most: int) -> None:
        self._hub = hub
        self._bus = bus
        self._most = most
        self._people: dict[tuple[str, int], str] = {}
        self._changed: dict[str, float] = {}
        self._told: dict[str, dict[int, str]] = {}

    def on_join(self, client: str, room: str) -> None:
        """Mark it."""
        self._mark(client, room)

    def on_leave(self, client: str, room: str) -> None:
        """Mark it."""
        self._mark(client, room)
        if not self._hub.holds(room):
            self._told.pop(room, None)
            self._changed.pop(room, None)

    def changed(self, room: str) -> None:
        """Another instance says that those in the room are others now."""
        if not room.startswith("~"):
            self._changed.setdefault(room, 0.0)

    async def look(self, room: str) -> dict[int, str]:
        """Who is in the room, over all instances; own people count before the bus knows them."""
        return {**await self._bus.present(room), **self._hub.people(room)}

    async def picture(self, room: str) -> dict[int, str]:
        """Those in the room as its clients here were last told: what changes, they all hear."""
        if room not in self._told:
            found = await self.look(room)
            return self._told.setdefault(room, found)
        return self._told[room]

    async def run(self) -> None:
        """For ever."""
        looked = 0.0
        while True:
            await asyncio.sleep(EVERY)
            now = time.monotonic()
            if now - looked > REFRESH_EVERY:
                looked = now
                for room in self._hub.rooms():
                    self.changed(room)  # people of an instance that has died expire silently
            await self.run_once(now)

    async def run_once(self, now: float) -> None:
        """Bring the bus's record and the clients' pictures up to date."""
        try:
            await self._record()
            await self._tell(now)
        except Unavailable:
            return  # what is marked stays so until the bus is back

    async def _record(self) -> None:
        while self._people:
            (room, person), name = next(iter(self._people.items()))
            if self._hub.is_in(room, person):
                await self._bus.appear(room, person, name)
            else:
                await self._bus.vanish(room, person, name)
            self._people.pop((room, person), None)

    async def _tell(self, now: float) -> None:
        for room in [room for room, at in self._changed.items() if at <= now]:
            if not self._hub.holds(room):
                self._changed.pop(room, None)
                continue
            del self._changed[room]
            here = await self.look(room)
            before = self._told.get(room, {})
            if here.keys() != before.keys():
                self._told[room] = here
                self._changed[room] = now + TOLD_EVERY
                self._hub.send_room(room, encode(self._difference(room, before, here)))

    def _difference(self, room: str, before: dict[int, str], here: dict[int, str]) -> Presence:
        came = [id for id in here if id not in before][: self._most]
        went = tuple(id for id in before if id not in here)
        return Presence(room, tuple(named(here, came)), went, len(here))

    def _mark(self, client: str, room: str) -> None:
        found = self._hub.clients.get(client)
        if found and not room.startswith("~"):
            self._people[room, found.person.id] = found.person.name
            self.changed(room)


def named(people: dict[int, str], ids: Iterable[int]) -> list[Present]:
    """These people with their names."""
    return [Present(id, people[id]) for id in ids]
