"""Who is connected to this instance and in which rooms; every delivery goes through here.

Nothing waits. A client's `Port` takes bytes for it or puts the client out; it never blocks.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chatroom.core.errors import Code, Refused
from chatroom.core.limits import Limits
from chatroom.core.messages import Person, numbered
from chatroom.core.services import Services

#: An id of the bus and the entry with it, as it lies there.
Numbered = tuple[str, bytes]


class Port(Protocol):
    """The way to one client."""

    def write(self, frames: bytes) -> None:
        """Send what `frame` made, or put the client out if too much waits for it already."""


@dataclass(slots=True, eq=False)
class Client:
    """A connection that has shown a ticket."""

    id: str
    person: Person
    port: Port
    rooms: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Room:
    """Those of this instance's clients that are in a room; some of them still catch up."""

    settled: dict[str, Client] = field(default_factory=dict)
    #: What came while a client's history was being read.
    catching: dict[str, tuple[Client, list[Numbered]]] = field(default_factory=dict)
    #: Whose history reaches further than what has been delivered here: up to which id.
    ahead: dict[str, tuple[Client, str]] = field(default_factory=dict)
    #: Who is there, whatever the number of their clients.
    names: dict[int, str] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.settled or self.catching or self.ahead)

    def here(self) -> list[Client]:
        """Everybody who is in the room."""
        unsettled = [client for client, _ in (*self.catching.values(), *self.ahead.values())]
        return [*self.settled.values(), *unsettled]

    def come(self, person: Person) -> None:
        """One more client of this person's."""
        self.names[person.id] = person.name
        self.counts[person.id] += 1

    def go(self, person: Person) -> None:
        """One fewer."""
        self.counts[person.id] -= 1
        if not self.counts[person.id]:
            del self.counts[person.id], self.names[person.id]

    def forget(self, client: str) -> None:
        """Whatever the client's place in the room is, it is no longer there."""
        for places in (self.settled, self.catching, self.ahead):
            places.pop(client, None)


def order(id: str) -> tuple[int, int]:
    """Ids of the bus in the order of the bus."""
    head, _, tail = id.partition("-")
    return int(head), int(tail)


class Hub:
    """The clients and rooms of one instance; `frame` makes of a message what a port writes."""

    def __init__(self, services: Services, limits: Limits, frame: Callable[[bytes], bytes]) -> None:
        self.services = services
        self.clients: dict[str, Client] = {}
        self.delivered = 0
        self._rooms: dict[str, Room] = {}
        self._limits = limits
        self._frame = frame

    def connect(self, client: Client) -> None:
        """A client is there; raises what a service refuses it with, and then it is gone."""
        self.clients[client.id] = client
        try:
            self.services.ask("on_connect", client.id, client.person)
        except Refused:
            self.disconnect(client.id)  # the other services were told that it came
            raise

    def disconnect(self, id: str) -> list[str]:
        """A client is gone: the rooms it was the last of here. The second time nothing happens."""
        client = self.clients.get(id)
        if client is None:
            return []
        emptied = [room for room in sorted(client.rooms) if self.leave(client, room)]
        del self.clients[id]
        self.services.tell("on_disconnect", id)
        return emptied

    def enter(self, client: Client, room: str) -> None:
        """Begin to hold back what comes for the client, until `settle`. Again without harm."""
        if room not in client.rooms and len(client.rooms) >= self._limits.rooms:
            raise Refused(Code.TOO_MANY, f"You are in {self._limits.rooms} rooms already")
        try:
            self.services.ask("on_join", client.id, room)
        except Refused:
            if room not in client.rooms:  # the other services were told that it came
                self.services.tell("on_leave", client.id, room)
            raise
        here = self._rooms.setdefault(room, Room())
        here.forget(client.id)
        here.catching[client.id] = (client, [])
        if room not in client.rooms:
            client.rooms.add(room)
            here.come(client.person)

    def settle(self, client: Client, room: str, answer: bytes, after: str) -> None:
        """Send the answer, which tells all up to `after`, and then what was held back since."""
        here = self._rooms.get(room)
        if here is None or client.id not in here.catching:
            return  # it has left meanwhile
        _, held = here.catching.pop(client.id)
        here.ahead[client.id] = (client, after)
        late = [entry for entry in held if order(entry[0]) > order(after)]
        if late:
            here.ahead[client.id] = (client, late[-1][0])
        client.port.write(self._frame(answer) + self._joined(late))

    def leave(self, client: Client, room: str) -> bool:
        """The client leaves; whether nobody of this instance is in the room any more."""
        if room not in client.rooms:
            return False
        client.rooms.discard(room)
        here = self._rooms[room]
        here.forget(client.id)
        here.go(client.person)
        if not here:
            del self._rooms[room]
        self.services.tell("on_leave", client.id, room)
        return not here

    def deliver(self, room: str, entries: Sequence[Numbered]) -> None:
        """What came back from the bus, to all who are in the room, in that order."""
        here = self._rooms.get(room)
        if here is None:
            return
        for _, held in here.catching.values():
            held.extend(entries)
        frames = self._joined(entries)
        for client in list(here.settled.values()):  # a port may put its client out
            client.port.write(frames)
        self.delivered += len(here.settled) * len(entries)
        for client, after in list(here.ahead.values()):
            self._catch_up(here, client, after, entries)

    def send(self, client: str, message: bytes) -> bool:
        """To one client; whether it is here."""
        found = self.clients.get(client)
        if found is None:
            return False
        found.port.write(self._frame(message))
        return True

    def send_room(self, room: str, message: bytes) -> None:
        """What has no number, such as who came: to all in the room."""
        if here := self._rooms.get(room):
            frame = self._frame(message)
            for client in here.here():
                client.port.write(frame)

    def send_all(self, message: bytes) -> None:
        """To every client."""
        frame = self._frame(message)
        for client in list(self.clients.values()):
            client.port.write(frame)

    def people(self, room: str) -> dict[int, str]:
        """Who is in the room through this instance."""
        here = self._rooms.get(room)
        return dict(here.names) if here else {}

    def is_in(self, room: str, person: int) -> bool:
        """Whether somebody is in the room through this instance."""
        here = self._rooms.get(room)
        return here is not None and person in here.names

    def holds(self, room: str) -> bool:
        """Whether anybody is."""
        return room in self._rooms

    def rooms(self) -> list[str]:
        """The rooms with clients of this instance."""
        return list(self._rooms)

    def of_person(self, person: int) -> list[Client]:
        """A person's clients here."""
        return [client for client in self.clients.values() if client.person.id == person]

    def _catch_up(
        self, here: Room, client: Client, after: str, entries: Sequence[Numbered]
    ) -> None:
        """Of the entries only those that the client does not have; it settles once there are."""
        new = [entry for entry in entries if order(entry[0]) > order(after)]
        if order(entries[-1][0]) >= order(after):
            del here.ahead[client.id]
            here.settled[client.id] = client
        if new:
            client.port.write(self._joined(new))
            self.delivered += len(new)

    def _joined(self, entries: Sequence[Numbered]) -> bytes:
        return b"".join([self._frame(numbered(id, data)) for id, data in entries])
