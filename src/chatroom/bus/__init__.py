"""The bus: what all instances share. One interface, in memory or in Redis.

Every instance delivers only what comes back from the bus, so that all see one order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chatroom.core.hub import Numbered
from chatroom.core.requests import Since

#: Seconds after which those present through an instance that has died are gone, and how often
#: an instance says that its own are still there.
PRESENT_FOR = 15.0
REFRESH_EVERY = 5.0
#: Seconds for which a ticket's number is kept: longer than any ticket is good.
TICKET_KEPT = 120
#: What a room that nobody has written to ends with.
NOTHING = "0-0"
MUTED = "An operator has muted you for a while"
STRANGER = "There is no such room for you"
MISSING = "That message is not kept any more"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a client that joins is given. If `whole`, it is all that the client missed; if not,
    the last messages of the room. `last` is the id of the room's last entry."""

    whole: bool
    entries: Sequence[Numbered]
    last: str
    older: bool


class Listener(Protocol):
    """Whom a bus tells. None of the methods may wait."""

    def on_entries(self, room: str, entries: Sequence[Numbered]) -> None:
        """New entries of a room that is followed, in the order of the bus."""

    def on_told(self, data: bytes) -> None:
        """Something from another instance, for this one alone."""

    def on_presence(self, room: str) -> None:
        """Those present in the room may be others now."""

    def on_away(self) -> None:
        """The bus cannot be reached; everything that needs it raises Unavailable."""

    def on_back(self) -> None:
        """The bus is there again; if its epoch is another, ids of before mean nothing."""

    def people(self) -> Mapping[str, Mapping[int, str]]:
        """Who is present through this instance, by room: ids and names."""


class Bus(Protocol):
    """All that waits raises Unavailable while the bus is away, and Refused for what is not so."""

    instance: str

    @property
    def epoch(self) -> str:
        """What ids belong to: of another epoch they mean nothing."""

    @property
    def up(self) -> bool:
        """Whether the bus can be reached."""

    async def start(self, listener: Listener) -> None:
        """Begin to listen; returns once the bus was reached, or told to be away."""

    async def stop(self) -> None:
        """Say goodbye: nobody is present through this instance any more."""

    async def publish(self, room: str, data: bytes, person: int = 0) -> str:
        """Append to a room and give the entry's id: from then on it is not lost.

        With a person, refuses those who are muted, and in a private room those not in it.
        """

    async def require_may_say(self, room: str, person: int) -> None:
        """Raises Refused as `publish` would."""

    async def remove(self, room: str, id: str, data: bytes) -> None:
        """Take an entry out and append `data`, which tells of it."""

    async def follow(self, room: str) -> None:
        """Tell the listener of what comes in a room from now on."""

    def unfollow(self, room: str) -> None:
        """Tell it no more."""

    async def recover(self, room: str, since: Since | None) -> Recovery:
        """What a client that has everything up to `since` needs."""

    async def before(self, room: str, id: str, count: int) -> list[Numbered]:
        """At most `count` entries before an id, the oldest first."""

    async def appear(self, room: str, person: int, name: str) -> None:
        """Somebody is in the room through this instance."""

    async def vanish(self, room: str, person: int, name: str) -> None:
        """That person is not in the room through this instance any more."""

    async def present(self, room: str) -> dict[int, str]:
        """Who is in the room through any instance."""

    async def instances(self) -> set[str]:
        """The instances that are alive."""

    async def tell(self, instance: str, data: bytes) -> None:
        """Send something to one instance."""

    async def use_ticket(self, jti: str) -> bool:
        """Whether the ticket of this number was used for the first time."""

    async def create(self, room: str, person: int) -> bool:
        """Make a private room with one member; whether there was none of the name."""

    async def admit(self, room: str, person: int) -> None:
        """Make somebody a member, and the room one of theirs."""

    async def expel(self, room: str, person: int) -> None:
        """The opposite."""

    async def is_member(self, room: str, person: int) -> bool:
        """Whether somebody is a member of a private room."""

    async def rooms_of(self, person: int) -> list[str]:
        """Somebody's private and direct rooms."""

    async def remember_name(self, person: int, name: str) -> None:
        """Keep what somebody is called."""

    async def names(self, people: Sequence[int]) -> dict[int, str]:
        """What they are called; those never seen are left out."""

    async def mute(self, person: int, seconds: int) -> None:
        """Refuse what somebody says for so long; 0 ends it."""

    async def feed(self, source: str, entries: Sequence[tuple[str, bytes]]) -> bool:
        """Append entries of the cluster's event `source` to rooms, and keep how far it was read.

        Whether it was done: not if another instance has come as far already.
        """

    async def fed(self) -> str:
        """The `source` of the last `feed`; empty before the first."""
