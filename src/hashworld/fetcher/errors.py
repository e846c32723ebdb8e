"""What can go wrong with a fetch, and whether another try may help."""

from enum import StrEnum


class ErrorKind(StrEnum):
    """Why a fetch failed. The value is what is stored and shown."""

    DNS = "dns"
    """The host name could not be resolved."""
    CONNECT = "connect"
    """The connection was refused or the network is unreachable."""
    CONNECT_TIMEOUT = "connect_timeout"
    """Name lookup, TCP and TLS together took longer than `connect_timeout`."""
    TLS = "tls"
    """The handshake failed or the certificate is not to be trusted."""
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    """No response header arrived within `first_byte_timeout`."""
    TOTAL_TIMEOUT = "total_timeout"
    """All hops together took longer than `total_timeout`."""
    TOO_SLOW = "too_slow"
    """Fewer than `min_rate` bytes a second arrived over a whole `min_rate_window`."""
    RESET = "reset"
    """The connection broke before the response was complete."""
    PROTOCOL = "protocol"
    """The answer was not HTTP/1.x: garbage, HTTP/0.9, broken headers or chunks."""
    ADDRESS_DENIED = "address_denied"
    """Every address of the host is refused by the address policy."""
    URL_DENIED = "url_denied"
    """The URL, or one redirected to, has a scheme, port or form that is not allowed."""
    TOO_MANY_REDIRECTS = "too_many_redirects"
    """More than `max_redirects` hops."""
    HEADERS_TOO_LARGE = "headers_too_large"
    """More header lines or bytes than allowed, informational responses included."""
    BODY_TOO_LARGE = "body_too_large"
    """The body as received is longer, or is announced to be longer, than `max_body`."""
    DECODED_TOO_LARGE = "decoded_too_large"
    """Decompression passed `max_decoded` or `max_ratio`."""
    DECODE = "decode"
    """The content encoding is broken, unknown, or nested too deeply."""
    RATE_LIMITED = "rate_limited"
    """Status 429: the host asks for fewer requests."""
    SERVER_ERROR = "server_error"
    """Status 5xx; also 408 and 425, by which a server asks for the same request again."""
    CLIENT_ERROR = "client_error"
    """Any other 4xx, or a 3xx that names no place to go."""
    CANCELLED = "cancelled"
    """Taken back by the caller, or left over when the engine stopped."""
    INTERNAL = "internal"
    """A fault of this program or machine, such as no file descriptors left."""

    @property
    def retryable(self) -> bool:
        """Whether the same request may well succeed later."""
        return self in _RETRYABLE


_RETRYABLE = frozenset(
    {
        ErrorKind.DNS,
        ErrorKind.CONNECT,
        ErrorKind.CONNECT_TIMEOUT,
        ErrorKind.FIRST_BYTE_TIMEOUT,
        ErrorKind.TOTAL_TIMEOUT,
        ErrorKind.TOO_SLOW,
        ErrorKind.RESET,
        ErrorKind.RATE_LIMITED,
        ErrorKind.SERVER_ERROR,
        ErrorKind.INTERNAL,
    }
)


def status_error(status: int) -> ErrorKind | None:
    """The kind of error a final HTTP status stands for; None for 2xx (RFC 9110, 15)."""
    if 200 <= status < 300:
        return None
    if status == 429:
        return ErrorKind.RATE_LIMITED
    if status in (408, 425) or 500 <= status < 600:
        return ErrorKind.SERVER_ERROR
    if 300 <= status < 500:
        return ErrorKind.CLIENT_ERROR
    return ErrorKind.PROTOCOL


class FetchError(Exception):
    """Base of every error this package raises."""


class InvalidURL(FetchError):
    """The text is not a URL that may be fetched."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BodyError(FetchError):
    """The body cannot be decoded within its limits; `kind` says which error that is."""

    def __init__(self, kind: ErrorKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class EngineStopped(FetchError):
    """Work was handed to an engine that has stopped."""
