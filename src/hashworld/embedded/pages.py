"""The kinds of page of the demo's site, and how a fetch of each must end. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

from hashworld.fetcher.errors import ErrorKind

#: Loopback addresses that play the part of different hosts.
HOSTS = tuple(f"127.0.0.{number}" for number in range(2, 10))
#: An address that no one may be redirected to.
PRIVATE_HOST = "10.0.0.1"


@dataclass(frozen=True, slots=True)
class Kind:
    """Pages whose path begins with `name`; `share` says how many of a thousand they are."""

    name: str
    share: int
    about: str
    status: int | None = 200
    """The status on record; None where the fetch may end with or without one."""
    error: ErrorKind | None = None
    """The error on record; None for a fetch that succeeds."""
    heals: bool = False
    """Whether the first try fails and a later one succeeds."""
    title: str = ""
    """How the page's title begins; reading it proves encoding and charset."""


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("page", 780, "a page of 20 KB", title="Page "),
        Kind("redirect", 50, "redirects twice, to another host", title="Page "),
        Kind("gzip", 30, "compressed with gzip", title="Page "),
        Kind("brotli", 20, "compressed with Brotli", title="Page "),
        Kind("zstd", 20, "compressed with Zstandard", title="Page "),
        Kind("shift-jis", 10, "Japanese, told by the header", title="世界の頁"),
        Kind("windows-1251", 10, "Russian, told by a meta element", title="Страница мира"),
        Kind("utf-16", 10, "Greek, told by a byte order mark", title="Σελίδα του κόσμου"),
        Kind("slow", 8, "answers after 1 to 2 s", title="Page "),
        Kind("error-once", 10, "500 at the first try", heals=True, title="Page "),
        Kind("busy-once", 10, "429 Retry-After at the first try", heals=True, title="Page "),
        Kind("not-found", 20, "404", status=404, error=ErrorKind.CLIENT_ERROR),
        Kind("forbidden", 10, "403", status=403, error=ErrorKind.CLIENT_ERROR),
        Kind("hang", 2, "never answers", None, ErrorKind.FIRST_BYTE_TIMEOUT),
        Kind("reset", 3, "breaks off in the middle", None, ErrorKind.RESET),
        Kind("private", 3, f"redirects to {PRIVATE_HOST}", None, ErrorKind.ADDRESS_DENIED),
        Kind("endless", 2, "a body without an end", None, ErrorKind.BODY_TOO_LARGE),
        Kind("bomb", 2, "200 MB of zeros in 200 KB", None, ErrorKind.DECODED_TOO_LARGE),
    )
}


def mix(count: int, hosts: Sequence[str], port: int) -> list[str]:
    """The addresses of `count` pages, or of one of each kind if that is more.

    They are the same every time.
    """
    others = [kind for name, kind in KINDS.items() if name != "page"]
    names = [kind.name for kind in others for _ in range(max(1, kind.share * count // 1000))]
    names += ["page"] * max(1, count - len(names))
    Random(1).shuffle(names)  # noqa: S311 - an order, not a secret
    return [
        f"http://{hosts[number % len(hosts)]}:{port}/{name}/{number}"
        for number, name in enumerate(names)
    ]


def kind_of(url: str) -> Kind:
    """The kind of the page at `url`, one that `mix` gave."""
    return KINDS[urlsplit(url).path.split("/")[1]]
