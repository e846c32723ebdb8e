"""How much of our time and memory one fetch may take, and how much of a host's patience."""

from dataclasses import dataclass, fields
from math import isfinite

KIB = 1024
MIB = 1024 * KIB

_MAY_BE_ZERO = frozenset({"min_rate", "max_encodings", "max_redirects", "min_interval"})

#: The most that each limit may be set to. One that is beyond reason is none: a job's owner must
#: not take a node's memory, or a place on it for days. Headers stay below libcurl's own bounds
#: (300 KiB and 5,000 lines), so that it is always ours that ends a fetch.
MOST: dict[str, int | float] = {
    "connect_timeout": 300.0,
    "first_byte_timeout": 300.0,
    "total_timeout": 3600.0,
    "min_rate": float(1024 * MIB),
    "min_rate_window": 600.0,
    "max_body": 512 * MIB,
    "max_decoded": 512 * MIB,
    "max_ratio": 10_000.0,
    "max_encodings": 5,
    "max_header_bytes": 256 * KIB,
    "max_header_lines": 1000,
    "max_redirects": 20,
    "max_connections": 1000,
    "min_interval": 86_400.0,
}


class LimitError(ValueError):
    """A limit that cannot be used; names the field and the reason."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


def _check(limits: object) -> None:
    for field in fields(limits):  # type: ignore[arg-type]
        value = getattr(limits, field.name)
        if reason := _fault(field.name, value, whole=field.type is int):
            raise LimitError(field.name, f"{reason}, not {value!r:.60}")


def _fault(name: str, value: object, *, whole: bool) -> str:
    """What the value must be and is not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number"
    if isinstance(value, float) and not isfinite(value):
        return "must be a number"
    if whole and not isinstance(value, int):
        return "must be a whole number"
    if value < 0 or (value == 0 and name not in _MAY_BE_ZERO):
        return "must be 0 or more" if name in _MAY_BE_ZERO else "must be more than 0"
    return f"must be at most {MOST[name]:.15g}" if value > MOST[name] else ""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """The bounds of one fetch. Times are seconds, sizes bytes. Raises LimitError naming a field."""

    connect_timeout: float = 5.0
    """Name lookup, TCP and TLS of one hop."""
    first_byte_timeout: float = 15.0
    """From the start of a hop to its first response header line."""
    total_timeout: float = 60.0
    """From the start of the first hop to the last byte, waits between hops included."""
    min_rate: float = 100.0
    """Body bytes a second; 0 switches the check off."""
    min_rate_window: float = 20.0
    """Over how long `min_rate` is measured, from the first header line on."""
    max_body: int = 10 * MIB
    """The body as received."""
    max_decoded: int = 10 * MIB
    """The body decompressed, and each step on the way."""
    max_ratio: float = 100.0
    """Decompressed to received; counts once the first MiB is decompressed."""
    max_encodings: int = 2
    """How many content encodings may be laid over one another."""
    max_header_bytes: int = 64 * KIB
    max_header_lines: int = 100
    """Header lines of one hop as received: status lines, informational responses and all."""
    max_redirects: int = 5

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True)
class HostLimits:
    """How one host is to be treated. Raises LimitError naming a field."""

    max_connections: int = 8
    """Requests under way at once."""
    min_interval: float = 0.0
    """Seconds from the start of one request to the start of the next."""

    def __post_init__(self) -> None:
        _check(self)
