"""Tickets: what Django says of a person, signed, for one use within a minute.

``base64url(claims) "." base64url(HMAC-SHA256(key, claims))``, claims being JSON. The other side is
`hashworld.api.tickets`; a test holds the two together.
"""

import base64
import binascii
import hashlib
import hmac

import msgspec
from msgspec import Struct

from chatroom.core.errors import BadTicket
from chatroom.core.messages import Person

#: Seconds by which the clocks of two machines may differ.
LEEWAY = 5.0
#: No ticket is good for longer, whatever it says of itself.
LONGEST = 60.0


class Claims(Struct, frozen=True):
    """What a ticket says. Times are seconds since 1970."""

    jti: str
    id: int
    name: str
    groups: tuple[str, ...]
    superuser: bool
    token: str  # a token of the person's for gRPC; empty where there is none
    issued: float
    expires: float
    session: float  # seconds for which a connection may go on without a new ticket

    @property
    def person(self) -> Person:
        """Whose it is."""
        return Person(self.id, self.name, self.groups, self.superuser)


def verify(ticket: str, key: str, now: float) -> Claims:
    """What the ticket says; raises BadTicket. That it is used once is for the bus to see to."""
    payload, dot, signature = ticket.partition(".")
    if not dot:
        raise BadTicket("this is no ticket")
    expected = hmac.new(key.encode(), payload.encode(errors="replace"), hashlib.sha256).digest()
    try:
        given = _decoded(signature)
        claims = msgspec.json.decode(_decoded(payload), type=Claims)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise BadTicket("this is no ticket") from error
    if not hmac.compare_digest(expected, given):
        raise BadTicket("the ticket's signature is wrong")
    if now > claims.expires + LEEWAY or claims.expires - claims.issued > LONGEST:
        raise BadTicket("the ticket has expired")
    if now < claims.issued - LEEWAY:
        raise BadTicket("the ticket is of the future: the machines' clocks differ")
    return claims


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
