"""Where a redirect leads and what is sent there. Pure. Rules: RFC 9110, 15.4."""

from dataclasses import replace
from urllib.parse import urlsplit

from .errors import InvalidURL
from .exchange import Request
from .url import resolve

REDIRECTS = frozenset({301, 302, 303, 307, 308})

_SECRETS = frozenset({"authorization", "cookie"})
_BODY_FIELDS = frozenset(
    {"content-encoding", "content-language", "content-location", "content-type"}
)


def follow(hop: Request, status: int, location: str) -> Request:
    """The request of the next hop. Raises InvalidURL if it leads where it must not.

    A step from https down to http is refused: what was asked for over a protected channel
    must not be answered by whoever sits on the line.
    """
    # Field values are read as Latin-1, but what servers put here is UTF-8.
    target = resolve(hop.url, location.encode("latin-1").decode("utf-8", "replace"), hop.ports)
    if hop.url.startswith("https:") and target.scheme == "http":
        raise InvalidURL("redirect from https to http")
    method, body, headers = hop.method, hop.body, hop.headers
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = _without(headers, _BODY_FIELDS)
    if _origin(hop.url) != _origin(target.url):
        headers = _without(headers, _SECRETS)
    return replace(hop, url=target.url, host=target.host, method=method, headers=headers, body=body)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _without(
    headers: tuple[tuple[str, str], ...], names: frozenset[str]
) -> tuple[tuple[str, str], ...]:
    return tuple(field for field in headers if field[0].lower() not in names)
