"""Who is let in, for how long, and into which rooms."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chatroom.bus import Bus
from chatroom.core import rooms
from chatroom.core.errors import BadTicket, Code, Refused
from chatroom.core.hub import Client
from chatroom.core.requests import Hello
from chatroom.core.tickets import Claims, verify


@dataclass(slots=True)
class Standing:
    """What a client's last ticket said, and until when it holds (monotonic)."""

    claims: Claims
    until: float


class Admission:
    """Checks tickets, and remembers what the clients' last ones allow."""

    def __init__(self, bus: Bus, key: str) -> None:
        #: Raises Refused for a job that the owner of a token may not see.
        self.may_see_job: Callable[[str, int], Awaitable[object]] | None = None
        self._bus = bus
        self._key = key
        self._standings: dict[str, Standing] = {}

    async def check(self, ticket: str) -> Claims:
        """What a ticket says, which is used by this; raises BadTicket and Unavailable."""
        claims = verify(ticket, self._key, time.time())
        if not await self._bus.use_ticket(claims.jti):
            raise BadTicket("the ticket was used before")
        return claims

    def stands(self, client: Client, claims: Claims) -> None:
        """From now on a client has what a ticket says."""
        client.person = claims.person
        self._standings[client.id] = Standing(claims, time.monotonic() + claims.session)

    async def renew(self, client: Client, hello: Hello) -> float:
        """Take a new ticket of the same person's; for how many seconds it holds."""
        try:
            claims = await self.check(hello.ticket)
        except BadTicket as error:
            raise Refused(Code.FORBIDDEN, str(error)) from error
        if claims.id != client.person.id:
            raise Refused(Code.FORBIDDEN, "That is another person's ticket")
        self.stands(client, claims)
        return claims.session

    def forget(self, client: str) -> None:
        """The client is gone."""
        self._standings.pop(client, None)

    def token(self, client: str) -> str:
        """The token with which a client's commands are given; raises Refused for none."""
        standing = self._standings.get(client)
        if standing is None:
            raise Refused(Code.FORBIDDEN, "Your ticket's rights have ended")
        return standing.claims.token

    def expired(self, now: float) -> list[str]:
        """The clients whose rights have ended."""
        return [id for id, standing in self._standings.items() if now > standing.until]

    async def require_entry(self, client: Client, room: str) -> None:
        """Raises Refused for a room that the client may not enter."""
        private = rooms.kind(room) is rooms.Kind.PRIVATE
        member = private and await self._bus.is_member(room, client.person.id)
        rooms.require_entry(client.person, room, is_member=member)
        job = rooms.job_of(room)
        if job is not None and self.may_see_job is not None:
            await self.may_see_job(self.token(client.id), job)


def require_inside(client: Client, room: str) -> None:
    """Raises Refused for a room that the client is not in."""
    rooms.kind(room)  # an inbox is no room to talk in, though its owner is in it
    if room not in client.rooms:
        raise Refused(Code.NOT_FOUND, f"You are not in {room}")
