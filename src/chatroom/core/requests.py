"""What clients send.

Every message is a JSON object whose "t" is its type; what has a field that is not known, or lacks
one, is refused. Decoding checks everything in one pass.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

Ref = Annotated[str, Meta(max_length=64)]
RoomName = Annotated[str, Meta(min_length=1, max_length=64)]
EntryId = Annotated[str, Meta(pattern=r"^[0-9]{1,20}-[0-9]{1,20}$")]
Text = Annotated[str, Meta(min_length=1)]


class Since(Struct, frozen=True, forbid_unknown_fields=True):
    """The last message that a client has of a room, and the bus's epoch it is of."""

    epoch: Annotated[str, Meta(max_length=64)]
    id: EntryId


class _FromClient(Struct, frozen=True, forbid_unknown_fields=True, tag_field="t", tag=str.lower):
    pass


class Hello(_FromClient, frozen=True):
    """The first message; later ones renew what the ticket allows."""

    ticket: Annotated[str, Meta(max_length=8192)]


class Join(_FromClient, frozen=True):
    """Enter a room; with `since`, get what was missed."""

    room: RoomName
    since: Since | None = None
    ref: Ref = ""


class Leave(_FromClient, frozen=True):
    """Leave a room."""

    room: RoomName
    ref: Ref = ""


class Say(_FromClient, frozen=True):
    """Say something in a room; what begins with a slash is a command."""

    room: RoomName
    text: Text
    ref: Ref = ""


class Direct(_FromClient, frozen=True):
    """Open the talk with one other person."""

    person: int
    ref: Ref = ""


class History(_FromClient, frozen=True):
    """Older messages of a room, before an id."""

    room: RoomName
    before: EntryId
    ref: Ref = ""


class Search(_FromClient, frozen=True):
    """The messages of a room that contain a text, of those that are kept."""

    room: RoomName
    text: Annotated[str, Meta(min_length=2, max_length=100)]
    ref: Ref = ""


class Create(_FromClient, frozen=True):
    """Make a private room, with oneself in it."""

    room: RoomName
    ref: Ref = ""


class Invite(_FromClient, frozen=True):
    """Let somebody into a private room of one's own."""

    room: RoomName
    person: int
    ref: Ref = ""


class Expel(_FromClient, frozen=True):
    """Take somebody, or oneself, out of a private room."""

    room: RoomName
    person: int
    ref: Ref = ""


class Mute(_FromClient, frozen=True):
    """Let a person say nothing for some seconds; 0 ends it."""

    person: int
    seconds: Annotated[int, Meta(ge=0, le=86_400)]
    ref: Ref = ""


class Remove(_FromClient, frozen=True):
    """Take a message out of a room."""

    room: RoomName
    id: EntryId
    ref: Ref = ""


class Request(_FromClient, frozen=True):
    """Ask another client, by its id; it answers with a `reply` of the same session."""

    to: Annotated[str, Meta(max_length=64)]
    body: msgspec.Raw
    timeout: Annotated[float, Meta(gt=0)] = 5.0
    ref: Ref = ""


class Reply(_FromClient, frozen=True):
    """The answer to a request."""

    session: Annotated[str, Meta(max_length=64)]
    body: msgspec.Raw


FromClient = (
    Hello | Join | Leave | Say | Direct | History | Search | Create | Invite | Expel | Mute
    | Remove | Request | Reply
)  # fmt: skip

_decoder: msgspec.json.Decoder[FromClient] = msgspec.json.Decoder(FromClient)


def decode(data: str | bytes) -> FromClient:
    """A client's message; raises msgspec.DecodeError that says what is wrong with it."""
    try:
        return _decoder.decode(data)
    except RecursionError as error:
        raise msgspec.DecodeError("it is nested too deeply") from error
