"""Pages of a list, by cursors that say where to go on and stay right while rows come and go."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hashworld.verbs.errors import Invalid

T = TypeVar("T")

#: Items of one page.
USUAL = 100
MOST = 1000
_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list; `next` is the cursor of what follows, None at its end."""

    items: Sequence[T]
    next: str | None = None


def check_limit(limit: int) -> int:
    """The number, if a page may have so many items; raises Invalid."""
    if not 1 <= limit <= MOST:
        raise Invalid("limit", f"must be from 1 to {MOST}")
    return limit


def encode(*place: int | str) -> str:
    """A place as an opaque cursor."""
    return base64.urlsafe_b64encode(":".join(map(str, place)).encode()).decode().rstrip("=")


def numbers(cursor: str | None, count: int) -> tuple[int, ...] | None:
    """The numbers of a cursor that `encode` made, None without one; raises Invalid."""
    if not cursor:
        return None
    parts = text(cursor).split(":")
    good = all(part.isascii() and part.isdecimal() and len(part) < _DIGITS for part in parts)
    if not good or len(parts) != count:
        raise Invalid("cursor", "is none that this list gave; leave it out to begin anew")
    return tuple(map(int, parts))


def text(cursor: str) -> str:
    """What `encode` was given, as one text; raises Invalid."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise Invalid(
            "cursor", "is none that this list gave; leave it out to begin anew"
        ) from error
