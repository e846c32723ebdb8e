"""What clients are sent, and what lies on the bus.

Every message is a JSON object whose "t" is its type, and is encoded once for all who get it.
"""

import msgspec
from msgspec import Struct


class Person(Struct, frozen=True):
    """Who a ticket was given to."""

    id: int
    name: str
    groups: tuple[str, ...] = ()
    superuser: bool = False


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

_entries: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)
encode = msgspec.json.Encoder().encode


def decode_entry(data: bytes) -> Entry:
    """An entry of the bus."""
    return _entries.decode(data)


def numbered(id: str, data: bytes) -> bytes:
    """An entry of the bus as clients get it: with its id, without decoding it."""
    return b'{"id":"%b",%b' % (id.encode(), data[1:])
