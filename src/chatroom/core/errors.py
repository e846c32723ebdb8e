"""Everything that can go wrong, and the codes that clients are told."""

from enum import IntEnum, StrEnum


class Code(StrEnum):
    """Why a request was refused; clients may act upon it."""

    BAD = "bad"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    TOO_LONG = "too_long"
    TOO_FAST = "too_fast"
    TOO_MANY = "too_many"
    MUTED = "muted"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    GONE = "gone"


class Close(IntEnum):
    """Why a connection was closed. Clients come back after the retryable ones alone."""

    POLICY = 1008
    RESTART = 1012
    SLOW = 1013
    BAD_TICKET = 4401
    EXPIRED = 4403
    NO_TICKET = 4408
    CROWDED = 4429


#: After these a client comes back by itself; a BAD_TICKET or an EXPIRED one with a new ticket.
RETRYABLE = frozenset(
    {Close.RESTART, Close.SLOW, Close.BAD_TICKET, Close.EXPIRED, Close.NO_TICKET, Close.CROWDED}
)


class ChatError(Exception):
    """The root of the chatroom's errors."""


class Refused(ChatError):
    """A request that is not done: the code for programs, the text for people."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Unavailable(Refused):
    """The bus, or the cluster, cannot be reached just now; nothing was done as far as is known."""

    def __init__(self, text: str) -> None:
        super().__init__(Code.UNAVAILABLE, text)


class BadTicket(ChatError):
    """A ticket that lets nobody in; the message says why."""
