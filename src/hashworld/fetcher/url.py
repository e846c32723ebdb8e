"""The canonical form of a URL: one parser, the WHATWG one, for checking and for fetching."""

import re
from collections.abc import Container
from dataclasses import dataclass
from hashlib import blake2b
from typing import NoReturn

import can_ada

from .errors import InvalidURL

DEFAULT_PORTS: frozenset[int] = frozenset({80, 443, 8080, 8443})
MAX_LENGTH = 2048

_DEFAULT_PORT = {"http:": 80, "https:": 443}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_WHITESPACE = re.compile(r"\s")
_USERINFO = re.compile(r"[A-Za-z]+:/*[^/?#]*@")
_NO_HOST = re.compile(r"https?:/*(?:[:?#]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class URL:
    """A URL that may be fetched. Built by `canonicalise`."""

    url: str
    """What is fetched: normalised, without default port and fragment, query order kept."""
    key: bytes
    """16 bytes, equal for URLs that differ only in the order of their query pairs."""
    host: str
    """Lower-case ASCII name or address without port; IPv6 in brackets; no trailing dot."""
    scheme: str
    port: int


def canonicalise(text: str, ports: Container[int] | None = DEFAULT_PORTS) -> URL:
    """Normalise `text` by the WHATWG URL standard. Raises InvalidURL with one reason.

    `ports` are those allowed; None allows any. Outer ASCII whitespace is dropped; what the
    standard would silently repair inside (tabs, newlines, backslashes) is refused, because
    other parsers repair it to another host.
    """
    text = text.strip(" \t\r\n\f")
    if len(text) > MAX_LENGTH:
        raise InvalidURL(f"longer than {MAX_LENGTH:,} characters")
    if not text.isprintable() or " " in text or "\\" in text:
        _refuse_characters(text)
    try:
        parsed = can_ada.parse(text)
    except ValueError:
        _refuse_unparsable(text)
    protocol = parsed.protocol
    default_port = _DEFAULT_PORT.get(protocol)
    if default_port is None:
        raise InvalidURL(f"scheme {protocol[:-1]!r} is not allowed, use http or https")
    if "@" in text and (parsed.has_credentials() or _USERINFO.match(text)):
        raise InvalidURL("user name or password in the URL is not allowed")
    host = parsed.hostname
    if host[-1:] == ".":
        # "example.com." is the same host: it must not get limits of its own.
        host = host[:-1]
    if not host:
        raise InvalidURL("the host is empty")
    port_text = parsed.port
    port = int(port_text) if port_text else default_port
    if ports is not None and port not in ports:
        raise InvalidURL(f"port {port} is not allowed")
    if "#" in text:
        parsed.hash = ""
    url = parsed.href
    if len(url) > MAX_LENGTH:
        raise InvalidURL(f"longer than {MAX_LENGTH:,} characters once escaped")
    return URL(url, _digest(url), host, protocol[:-1], port)


def resolve(base: str, location: str, ports: Container[int] | None = DEFAULT_PORTS) -> URL:
    """Where a redirect from `base` to `location` leads (RFC 9110, 10.2.2), vetted anew.

    The standard's repairs are made first here: what servers write into Location is often
    unescaped, and no second parser ever sees it.
    """
    try:
        joined = (can_ada.parse(base) + location).href
    except ValueError:
        raise InvalidURL(f"redirect to {location[:200]!r}, which is not a URL") from None
    return canonicalise(joined, ports)


def _digest(url: str) -> bytes:
    if "&" in url:
        path, mark, query = url.partition("?")
        url = path + mark + "&".join(sorted(query.split("&")))
    return blake2b(url.encode(), digest_size=16).digest()


def _refuse_characters(text: str) -> None:
    # str.isprintable is the fast test; it also turns down joiners, which real paths contain.
    if _CONTROL.search(text):
        raise InvalidURL("control characters are not allowed")
    if _WHITESPACE.search(text):
        raise InvalidURL("whitespace inside the URL is not allowed, write it as %20")
    if "\\" in text:
        raise InvalidURL("a backslash is not allowed, write it as %5C")


def _refuse_unparsable(text: str) -> NoReturn:
    if _NO_HOST.match(text):
        raise InvalidURL("the host is empty")
    raise InvalidURL("not a URL, write it whole, as in https://example.com/path")
