"""What a store takes and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hashworld.tasks.models import Content


@dataclass(frozen=True, slots=True)
class Body:
    """A body to keep: its SHA-256 (hexadecimal), its size in bytes, and its compressed bytes."""

    sha256: str
    size: int
    compressed: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a body is kept; the columns of its Content row. Sizes in bytes.

    `data` is what has yet to be written, in the transaction that names the place.
    """

    sha256: str
    size: int
    stored: int
    store: str
    pack: str = ""
    offset: int = 0
    data: bytes = b""


class Store(Protocol):
    """Keeps compressed bodies."""

    name: str

    def keep(self, bodies: Sequence[Body]) -> list[Place]:
        """Make bodies durable; raises OSError when there is no room for them."""

    def read(self, content: Content) -> bytes:
        """The compressed bytes; raises ContentDamaged."""

    def close(self) -> None:
        """Let go of open files."""
