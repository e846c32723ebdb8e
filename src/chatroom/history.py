"""What was said before, by pages and by what is looked for."""

from collections.abc import Sequence

from msgspec import Raw

from chatroom.admission import require_inside
from chatroom.bus import Bus
from chatroom.core.hub import Client, Numbered
from chatroom.core.limits import Limits
from chatroom.core.messages import Message, Page, decode_entry, numbered
from chatroom.core.requests import History, Search
from chatroom.pace import Pace

_NEWEST = f"{2**63}-0"


class Archive:
    """What is kept of the rooms; all of it raises Refused and Unavailable."""

    def __init__(self, bus: Bus, limits: Limits, pace: Pace) -> None:
        self._bus = bus
        self._limits = limits
        self._pace = pace

    async def page(self, client: Client, asked: History) -> Page:
        """The messages before one."""
        require_inside(client, asked.room)
        self._pace.require(client.person.id, "history")
        found = await self._bus.before(asked.room, asked.before, self._limits.page + 1)
        return self._last(found, asked)

    async def search(self, client: Client, asked: Search) -> Page:
        """The last messages that contain a text."""
        require_inside(client, asked.room)
        self._pace.require(client.person.id, "search")
        wanted = asked.text.casefold()
        kept = await self._bus.before(asked.room, _NEWEST, self._limits.kept * 2)
        return self._last([entry for entry in kept if wanted in _searchable(entry[1])], asked)

    def _last(self, found: Sequence[Numbered], asked: History | Search) -> Page:
        page = self._limits.page
        return Page(asked.room, raw(found[-page:]), len(found) > page, asked.ref)


def raw(entries: Sequence[Numbered]) -> tuple[Raw, ...]:
    """Entries of the bus as parts of an answer."""
    return tuple(Raw(numbered(id, data)) for id, data in entries)


def _searchable(data: bytes) -> str:
    entry = decode_entry(data)
    if not isinstance(entry, Message):
        return ""
    card = entry.card
    lines = [f"{line.label} {line.value}" for line in card.lines] if card else []
    return "\n".join([entry.text, card.title if card else "", *lines]).casefold()
