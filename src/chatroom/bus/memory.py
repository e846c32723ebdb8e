"""The bus in memory: for one process, without any server. Nothing outlives the process."""

import time
import uuid
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from chatroom.bus import MISSING, MUTED, NOTHING, STRANGER, TICKET_KEPT, Listener, Recovery
from chatroom.core.errors import Code, Refused, Unavailable
from chatroom.core.hub import Numbered, order
from chatroom.core.limits import Limits
from chatroom.core.requests import Since


@dataclass(slots=True)
class _Stream:
    entries: deque[Numbered]
    added: int = 0


@dataclass(slots=True)
class Store:
    """What several buses of one process share, as several instances share one Redis."""

    limits: Limits
    epoch: str = field(default_factory=lambda: uuid.uuid4().hex)
    buses: dict[str, "MemoryBus"] = field(default_factory=dict)
    streams: dict[str, _Stream] = field(default_factory=dict)
    members: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    rooms: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    names: dict[int, str] = field(default_factory=dict)
    tickets: dict[str, float] = field(default_factory=dict)
    muted: dict[int, float] = field(default_factory=dict)
    fed: str = ""


class MemoryBus:
    """See `chatroom.bus.Bus`."""

    def __init__(self, store: Store) -> None:
        self.instance = uuid.uuid4().hex[:12]
        self.up = False
        self.followed: set[str] = set()
        self._store = store
        self._listener: Listener | None = None

    @property
    def epoch(self) -> str:
        return self._store.epoch

    @epoch.setter
    def epoch(self, value: str) -> None:
        self._store.epoch = value

    async def start(self, listener: Listener) -> None:
        self._listener = listener
        self._store.buses[self.instance] = self
        self.up = True

    async def stop(self) -> None:
        self._store.buses.pop(self.instance, None)
        self.up = False
        if self._listener:
            for room in self._listener.people():
                self._told_presence(room)

    async def publish(self, room: str, data: bytes, person: int = 0) -> str:
        self._require_up()
        if person:
            self._check_may_say(room, person)
        return self._append(room, data)

    async def require_may_say(self, room: str, person: int) -> None:
        self._require_up()
        self._check_may_say(room, person)

    async def remove(self, room: str, id: str, data: bytes) -> None:
        self._require_up()
        stream = self._store.streams.get(room)
        found = next((e for e in stream.entries if e[0] == id), None) if stream else None
        if stream is None or found is None:
            raise Refused(Code.NOT_FOUND, MISSING)
        stream.entries.remove(found)
        self._append(room, data)

    async def follow(self, room: str) -> None:
        self._require_up()
        self.followed.add(room)

    def unfollow(self, room: str) -> None:
        self.followed.discard(room)

    async def recover(self, room: str, since: Since | None) -> Recovery:
        self._require_up()
        stream = self._store.streams.get(room) or self._new()
        kept = list(stream.entries)
        last = f"{stream.added}-0" if stream.added else NOTHING
        if since and since.epoch == self.epoch and _reaches(stream, since.id):
            missed = [entry for entry in kept if order(entry[0]) > order(since.id)]
            if len(missed) <= self._store.limits.missed:
                return Recovery(True, missed, last, False)
        page = self._store.limits.page
        return Recovery(False, kept[-page:], last, len(kept) > page)

    async def before(self, room: str, id: str, count: int) -> list[Numbered]:
        self._require_up()
        stream = self._store.streams.get(room) or self._new()
        older = [entry for entry in stream.entries if order(entry[0]) < order(id)]
        return older[-count:]

    async def appear(self, room: str, person: int, name: str) -> None:
        self._require_up()
        self._told_presence(room)

    async def vanish(self, room: str, person: int, name: str) -> None:
        self._require_up()
        self._told_presence(room)

    async def present(self, room: str) -> dict[int, str]:
        self._require_up()
        found: dict[int, str] = {}
        for bus in self._store.buses.values():
            if bus._listener:
                found.update(bus._listener.people().get(room, {}))
        return found

    async def instances(self) -> set[str]:
        self._require_up()
        return set(self._store.buses)

    async def tell(self, instance: str, data: bytes) -> None:
        self._require_up()
        other = self._store.buses.get(instance)
        if other and other._listener:
            other._listener.on_told(data)

    async def use_ticket(self, jti: str) -> bool:
        self._require_up()
        now = time.monotonic()
        for old in [j for j, until in islice(self._store.tickets.items(), 100) if until < now]:
            del self._store.tickets[old]
        if jti in self._store.tickets:
            return False
        self._store.tickets[jti] = now + TICKET_KEPT
        return True

    async def create(self, room: str, person: int) -> bool:
        self._require_up()
        if self._store.members[room]:
            return False
        await self.admit(room, person)
        return True

    async def admit(self, room: str, person: int) -> None:
        self._require_up()
        self._store.members[room].add(person)
        self._store.rooms[person].add(room)

    async def expel(self, room: str, person: int) -> None:
        self._require_up()
        self._store.members[room].discard(person)
        self._store.rooms[person].discard(room)

    async def is_member(self, room: str, person: int) -> bool:
        self._require_up()
        return person in self._store.members[room]

    async def rooms_of(self, person: int) -> list[str]:
        self._require_up()
        return sorted(self._store.rooms[person])

    async def remember_name(self, person: int, name: str) -> None:
        self._require_up()
        self._store.names[person] = name

    async def names(self, people: Sequence[int]) -> dict[int, str]:
        self._require_up()
        return {id: self._store.names[id] for id in people if id in self._store.names}

    async def mute(self, person: int, seconds: int) -> None:
        self._require_up()
        self._store.muted[person] = time.monotonic() + seconds

    async def feed(self, source: str, entries: Sequence[tuple[str, bytes]]) -> bool:
        self._require_up()
        if self._store.fed and order(source) <= order(self._store.fed):
            return False
        self._store.fed = source
        for room, data in entries:
            self._append(room, data)
        return True

    async def fed(self) -> str:
        self._require_up()
        return self._store.fed

    def _append(self, room: str, data: bytes) -> str:
        stream = self._store.streams.setdefault(room, self._new())
        stream.added += 1
        id = f"{stream.added}-0"
        stream.entries.append((id, data))
        for bus in self._store.buses.values():
            if room in bus.followed and bus._listener:
                bus._listener.on_entries(room, [(id, data)])
        return id

    def _new(self) -> _Stream:
        return _Stream(deque(maxlen=self._store.limits.kept))

    def _check_may_say(self, room: str, person: int) -> None:
        if self._store.muted.get(person, 0.0) > time.monotonic():
            raise Refused(Code.MUTED, MUTED)
        if room.startswith("+") and person not in self._store.members[room]:
            raise Refused(Code.NOT_FOUND, STRANGER)

    def _told_presence(self, room: str) -> None:
        for bus in self._store.buses.values():
            if bus._listener:
                bus._listener.on_presence(room)

    def _require_up(self) -> None:
        if not self.up:
            raise Unavailable("The chat's bus is away")


def _reaches(stream: _Stream, id: str) -> bool:
    """Whether nothing after this id has been dropped."""
    if not stream.entries:
        return id == (f"{stream.added}-0" if stream.added else NOTHING)
    first = stream.entries[0][0]
    return order(first) <= order(id) or (id == NOTHING and first == "1-0")
