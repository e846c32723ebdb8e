"""What goes into the engine and what comes out: one request, one response."""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass

from .errors import ErrorKind
from .limits import FetchLimits, HostLimits
from .url import DEFAULT_PORTS

# A token, and a field value without controls (RFC 9110, 5.1 and 5.5): no header can be split.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e]*")

# The engine frames the message, names the host it vetted and owns the connection.
_OWN_FIELDS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_DEFAULT_HOST_LIMITS = HostLimits()
_DEFAULT_LIMITS = FetchLimits()


@dataclass(slots=True)
class Request:
    """One URL to fetch. Raises ValueError naming a method or header that cannot be sent."""

    key: int
    """The caller's name for it, unique among all the engine holds."""
    url: str
    """Canonical, as `url.canonicalise` gives it; so is `host`."""
    host: str
    host_limits: HostLimits = _DEFAULT_HOST_LIMITS
    limits: FetchLimits = _DEFAULT_LIMITS
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    verify_tls: bool = True
    ports: Container[int] | None = DEFAULT_PORTS
    """Where redirects may lead; None for any port."""
    lane: int = 0
    """Lanes take turns when there is more to start than the engine may."""

    def __post_init__(self) -> None:
        if self.headers or self.method != "GET":
            check_method(self.method)
            check_headers(self.headers)


@dataclass(slots=True)
class Timings:
    """How long each phase of the last hop took, in seconds; None for a phase not gone through."""

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    """From the request being sent to the first byte of the answer."""
    total: float | None = None
    """From the start of the first hop to the end; None for a request that was never started."""


@dataclass(slots=True)
class Response:
    """How one request ended. `error` is None for a complete 2xx answer and for nothing else."""

    key: int
    status: int | None
    url: str
    """Where the last hop went."""
    headers: list[tuple[str, str]]
    """Of the last hop, in the order received."""
    raw: bytes
    """The body as received, content encoding and all; empty unless it arrived whole."""
    error: ErrorKind | None
    detail: str
    timings: Timings
    redirects: list[tuple[int, str]]
    """Status and URL of each hop that led on to another."""
    ip: str
    """The address connected to; empty if there was no connection."""
    received: int
    """Body bytes of the last hop that arrived, whole or not."""
    request: Request


def check_method(method: str) -> None:
    """Raise ValueError unless `method` may be sent."""
    if not _TOKEN.fullmatch(method) or method != method.upper():
        raise ValueError(f"method {method!r} must be an upper-case HTTP method")
    if method in ("CONNECT", "TRACE"):
        raise ValueError(f"method {method} is not allowed")


def check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Raise ValueError naming the first header that may not be sent."""
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"header name {name!r} is not an HTTP token")
        if name.lower() in _OWN_FIELDS:
            raise ValueError(f"header {name} is set by the engine and cannot be given")
        if not _FIELD_VALUE.fullmatch(value):
            raise ValueError(f"header {name} must be one line of printable ASCII")


def header(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """The first value of the lower-case `name`; None if there is none."""
    for field, value in headers:
        if field.lower() == name:
            return value
    return None


def parse_head(lines: list[bytes]) -> list[tuple[str, str]] | None:
    """The fields of the last header block in `lines`; None if its end is missing.

    `lines` also hold informational responses before that block and trailers after it.
    """
    text = b"".join(lines).decode("latin-1").replace("\r\n", "\n")
    start = text.rfind("\nHTTP/") + 1
    end = text.find("\n\n", start)
    if end < 0:
        return None
    fields = []
    for line in text[start:end].split("\n")[1:]:
        name, _, value = line.partition(":")
        fields.append((name, value.strip()))
    return fields
