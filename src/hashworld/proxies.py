"""Whose request it is, where a proxy stands in front.

Guesses at passwords are counted for each address. Without this all would be the proxy's, and one
stranger could shut everybody out.
"""

from collections.abc import Callable, Sequence
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Network = IPv4Network | IPv6Network


class ClientAddressMiddleware:
    """Puts the client's address in the place of a trusted proxy's, in REMOTE_ADDR."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """What comes after sees the client's address."""
        peer = request.META.get("REMOTE_ADDR", "")
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
        request.META["REMOTE_ADDR"] = client_address(
            peer, forwarded, _networks(tuple(settings.TRUSTED_PROXIES))
        )
        return self._get_response(request)


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """The last address that a trusted peer forwards for, else the peer's own.

    What stands before the last may have been written by anybody. A proxy behind others has to
    know itself for whom they ask.
    """
    claimed = forwarded.rpartition(",")[2].strip()
    if claimed and _is_in(peer, trusted):
        try:
            return str(ip_address(claimed))
        except ValueError:
            return peer
    return peer


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:  # a Unix socket has no address
        return False
    return any(parsed in network for network in networks)


@cache
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)
