"""What instances tell each other about the requests of their clients."""

import msgspec
from msgspec import Struct

from chatroom.core.messages import Present


class Ask(Struct, frozen=True, tag_field="t", tag="ask"):
    """A client of mine asks one of yours."""

    session: str
    asker: str
    person: Present
    peer: str
    body: msgspec.Raw


class Answer(Struct, frozen=True, tag_field="t", tag="answer"):
    """Your client is answered."""

    session: str
    peer: str
    body: msgspec.Raw


class Gone(Struct, frozen=True, tag_field="t", tag="gone"):
    """Whom your client asks is not here any more."""

    session: str


class Drop(Struct, frozen=True, tag_field="t", tag="drop"):
    """My client does not wait any more."""

    session: str


BetweenInstances = Ask | Answer | Gone | Drop

_decoder: msgspec.json.Decoder[BetweenInstances] = msgspec.json.Decoder(BetweenInstances)


def decode(data: bytes) -> BetweenInstances:
    """What another instance tells this one."""
    return _decoder.decode(data)
