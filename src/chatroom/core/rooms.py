"""The names of rooms, and who may enter them.

``#name``  is open to everybody in a group of HashWorld's; `#ops` and `#job-17` get its events;
``+name``  is private to its members;
``@3:17``  is the talk of two people, by their ids in rising order;
``~17``    is a person's own inbox, which the server alone writes and joins.
"""

import re
from enum import Enum

from chatroom.core.errors import Code, Refused
from chatroom.core.messages import Person

LOBBY = "#lobby"
OPS = "#ops"
#: HashWorld's groups, by what their members may do here. Everybody in one of them may talk.
GROUPS = frozenset({"viewer", "submitter", "operator", "admin"})
MODERATORS = frozenset({"operator", "admin"})

_NAME = re.compile(r"[#+][a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\Z", re.ASCII)
_JOB = re.compile(r"#job-([0-9]{1,18})\Z", re.ASCII)
_DIRECT = re.compile(r"@([1-9][0-9]{0,17}):([1-9][0-9]{0,17})\Z", re.ASCII)


class Kind(Enum):
    """What a room is, by the first character of its name."""

    PUBLIC = "#"
    PRIVATE = "+"
    DIRECT = "@"
    INBOX = "~"


def kind(room: str) -> Kind:
    """What the room is; raises Refused for what names no room a client may name."""
    if _NAME.match(room):
        return Kind(room[0])
    pair = _DIRECT.match(room)
    if pair and int(pair[1]) < int(pair[2]):
        return Kind.DIRECT
    raise Refused(
        Code.BAD,
        "A room's name is # or + and up to 40 small letters, digits and dashes,"
        " or @ and the ids of two people",
    )


def direct(one: int, other: int) -> str:
    """The room of two people; raises Refused for one alone."""
    if one == other:
        raise Refused(Code.BAD, "That would be a talk with yourself")
    return f"@{min(one, other)}:{max(one, other)}"


def inbox(person: int) -> str:
    """The room of what the server tells one person, wherever that person is connected."""
    return f"~{person}"


def job(number: int) -> str:
    """The room of a job."""
    return f"#job-{number}"


def job_of(room: str) -> int | None:
    """The job whose room it is."""
    found = _JOB.match(room)
    return int(found[1]) if found else None


def pair(room: str) -> tuple[int, int]:
    """The ids of the two people of a direct room."""
    one, other = room[1:].split(":")
    return int(one), int(other)


def has_rights(person: Person) -> bool:
    """Whether this person may talk at all."""
    return person.superuser or not GROUPS.isdisjoint(person.groups)


def may_moderate(person: Person) -> bool:
    """Whether this person may mute others and remove what they said."""
    return person.superuser or not MODERATORS.isdisjoint(person.groups)


def require_entry(person: Person, room: str, *, is_member: bool) -> None:
    """Raises Refused unless the person may be in the room; `is_member` counts in private ones.

    A private room that is not theirs looks to others like one that does not exist.
    """
    if not has_rights(person):
        raise Refused(Code.FORBIDDEN, "Your account is in no group of HashWorld's")
    match kind(room):
        case Kind.PRIVATE if not is_member:
            raise Refused(Code.NOT_FOUND, f"There is no room {room} for you")
        case Kind.DIRECT if person.id not in pair(room):
            raise Refused(Code.NOT_FOUND, f"There is no room {room} for you")
        case _:
            return


def require_moderator(person: Person) -> None:
    """Raises Refused unless the person may moderate."""
    if not may_moderate(person):
        raise Refused(Code.FORBIDDEN, "Only operators may do this")
