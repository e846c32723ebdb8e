"""How much of our time and memory one fetch may take, and how much of a host's patience."""

from dataclasses import dataclass, fields
from math import isfinite

KIB = 1024
MIB = 1024 * KIB

_MAY_BE_ZERO = frozenset({"min_rate", "max_encodings", "max_redirects", "min_interval"})


def _check(limits: object) -> None:
    for field in fields(limits):  # type: ignore[arg-type]
        value = getattr(limits, field.name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise ValueError(f"{field.name} must be a number, not {value!r}")
        if field.type is int and not isinstance(value, int):
            raise ValueError(f"{field.name} must be a whole number, not {value!r}")
        if value < 0 or (value == 0 and field.name not in _MAY_BE_ZERO):
            least = "0 or more" if field.name in _MAY_BE_ZERO else "more than 0"
            raise ValueError(f"{field.name} must be {least}, not {value!r}")


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """The bounds of one fetch. Times are seconds, sizes bytes. Raises ValueError naming a field."""

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
    """How one host is to be treated. Raises ValueError naming a field."""

    max_connections: int = 8
    """Requests under way at once."""
    min_interval: float = 0.0
    """Seconds from the start of one request to the start of the next."""

    def __post_init__(self) -> None:
        _check(self)
