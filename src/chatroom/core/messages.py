"""The typed messages: what clients send, what they are sent, and what lies on the bus.

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


class Person(Struct, frozen=True):
    """Who a ticket was given to."""

    id: int
    name: str
    groups: tuple[str, ...] = ()
    superuser: bool = False


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


class _FromServer(Struct, frozen=True, tag_field="t", tag=str.lower, omit_defaults=True):
    pass


class Command(Struct, frozen=True):
    """A command's name, how it is used and what it does, for completion and help."""

    name: str
    usage: str
    help: str


class Welcome(_FromServer, frozen=True):
    """The answer to the first `hello`."""

    client: str
    person: Person
    moderator: bool
    epoch: str
    up: bool
    rooms: tuple[str, ...]
    names: dict[str, str]  # of the people in the direct rooms, by id
    commands: tuple[Command, ...]
    seconds: float  # until the ticket's rights end; a `hello` with a new one renews them
    text: int  # the most characters of a message


class Renewed(_FromServer, frozen=True):
    """The answer to a later `hello`."""

    seconds: float


class Present(Struct, frozen=True):
    """Somebody in a room."""

    id: int
    name: str


class Joined(_FromServer, frozen=True):
    """The client is in the room. If not `recovered`, `messages` are the last ones, and what the
    client has of the room is to be thrown away."""

    room: str
    epoch: str
    recovered: bool
    messages: tuple[msgspec.Raw, ...]
    last: str  # the id to come back with
    present: tuple[Present, ...]
    count: int  # how many people are present
    older: bool = False
    ref: str = ""


class Left(_FromServer, frozen=True):
    """The client is no longer in the room."""

    room: str
    ref: str = ""


class Page(_FromServer, frozen=True):
    """Older messages, the oldest first; or what a search found."""

    room: str
    messages: tuple[msgspec.Raw, ...]
    older: bool = False
    ref: str = ""


class Presence(_FromServer, frozen=True):
    """Who came to a room and who went."""

    room: str
    came: tuple[Present, ...]
    went: tuple[int, ...]
    count: int


class Done(_FromServer, frozen=True):
    """A request was done; for what was said, `id` is the message's."""

    ref: str
    id: str = ""
    room: str = ""


class Failed(_FromServer, frozen=True):
    """A request was not done."""

    ref: str
    code: str
    text: str
    wait: float = 0.0


class Bus(_FromServer, frozen=True):
    """Whether messages can be said; with another epoch every room is to be joined anew."""

    up: bool
    epoch: str


class Asked(_FromServer, frozen=True):
    """Another client asks."""

    session: str
    sender: str
    person: Present
    body: msgspec.Raw


class Answered(_FromServer, frozen=True):
    """What a request came to."""

    ref: str
    body: msgspec.Raw


class Invited(_FromServer, frozen=True):
    """There is a room for this person."""

    room: str
    names: dict[str, str]


class Expelled(_FromServer, frozen=True):
    """A room is no longer for this person."""

    room: str


class Bye(_FromServer, frozen=True):
    """The server is about to close; come back after so many seconds."""

    wait: float


class Line(Struct, frozen=True):
    """One line of a card."""

    label: str
    value: str


class Card(Struct, frozen=True, omit_defaults=True):
    """What a command or an event has to tell. A later card of a room with the same `key` takes
    the place of the earlier one."""

    title: str
    tone: str = "info"  # info, good, bad, warn
    lines: tuple[Line, ...] = ()
    link: str = ""  # a path of the admin
    key: str = ""
    percent: float | None = None


class Told(_FromServer, frozen=True):
    """A card for this client alone, as the answer to a command."""

    room: str
    card: Card
    ref: str = ""


class Ask(Struct, frozen=True, tag_field="t", tag="ask"):
    """Between instances: a client of mine asks one of yours."""

    session: str
    asker: str
    person: Present
    peer: str
    body: msgspec.Raw


class Answer(Struct, frozen=True, tag_field="t", tag="answer"):
    """Between instances: your client is answered."""

    session: str
    peer: str
    body: msgspec.Raw


class Gone(Struct, frozen=True, tag_field="t", tag="gone"):
    """Between instances: whom your client asks is not here any more."""

    session: str


class Drop(Struct, frozen=True, tag_field="t", tag="drop"):
    """Between instances: my client does not wait any more."""

    session: str


BetweenInstances = Ask | Answer | Gone | Drop


class _OnBus(Struct, frozen=True, tag_field="t", tag=str.lower, omit_defaults=True):
    room: str
    at: float  # seconds since 1970, by the instance that took it


class Message(_OnBus, frozen=True):
    """Something said, or a card."""

    person: Present
    client: str = ""
    text: str = ""
    card: Card | None = None
    ref: str = ""


class Removed(_OnBus, frozen=True):
    """A message was taken out."""

    message: str
    by: str


Entry = Message | Removed
#: Who speaks for the cluster.
CLUSTER = Present(0, "HashWorld")

_decoder: msgspec.json.Decoder[FromClient] = msgspec.json.Decoder(FromClient)
_entries: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)
_between: msgspec.json.Decoder[BetweenInstances] = msgspec.json.Decoder(BetweenInstances)
encode = msgspec.json.Encoder().encode


def decode(data: str | bytes) -> FromClient:
    """A client's message; raises msgspec.DecodeError that says what is wrong with it."""
    return _decoder.decode(data)


def decode_entry(data: bytes) -> Entry:
    """An entry of the bus."""
    return _entries.decode(data)


def decode_between(data: bytes) -> BetweenInstances:
    """What another instance tells this one."""
    return _between.decode(data)


def numbered(id: str, data: bytes) -> bytes:
    """An entry of the bus as clients get it: with its id, without decoding it."""
    return b'{"id":"%b",%b' % (id.encode(), data[1:])
