"""Which network addresses may be connected to. Pure: text in, verdict out.

The lists are frozen here rather than taken from `ipaddress.is_global`, which calls NAT64,
6to4, multicast and several cloud metadata addresses global, and changes between versions.
Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and successors).
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_GLOBAL_UNICAST = IPv6Network("2000::/3")

# The more telling name comes first: the first match gives the reason.
_RESERVED = {
    "169.254.169.254/32": "cloud metadata",
    "169.254.170.2/32": "cloud metadata",
    "192.0.0.192/32": "cloud metadata",
    "168.63.129.16/32": "cloud metadata",
    "100.100.100.200/32": "cloud metadata",
    "fd00:ec2::254/128": "cloud metadata",
    "fd20:ce::254/128": "cloud metadata",
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by carriers",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "multicast tunnels",
    "192.88.99.0/24": "6to4 relays",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "255.255.255.255/32": "broadcast",
    "240.0.0.0/4": "reserved",
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::/96": "IPv4-compatible",
    "::ffff:0:0:0/96": "IPv4-translated",
    "64:ff9b::/96": "NAT64",
    "64:ff9b:1::/48": "local NAT64",
    "100::/64": "discard",
    "100:0:0:1::/64": "dummy prefix",
    "2001::/32": "Teredo",
    "2001::/23": "protocol assignments",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "AS112",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique local",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}


class AddressPolicy:
    """Says which addresses may be connected to; by default only public unicast.

    `allow` networks win over the built-in list (for labs, tests and the demo); `deny`
    networks win over everything. Raises ValueError naming a network that is not one.
    """

    def __init__(self, allow: Sequence[str] = (), deny: Sequence[str] = ()) -> None:
        self._allow = _networks("allow", allow)
        self._deny = _networks("deny", deny)

    def refusal(self, address: str) -> str | None:
        """None if `address` may be connected to, else the reason, naming the range."""
        if "%" in address:
            return "it has a zone id"
        try:
            ip = ip_address(address)
        except ValueError:
            return "not an IP address"
        if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
            # Even when allowed as IPv6: it would reach an IPv4 address that `deny` may name.
            return "in ::ffff:0:0/96 (IPv4-mapped)"
        for network in self._deny:
            if ip in network:
                return f"in {network} (denied by configuration)"
        if any(ip in network for network in self._allow):
            return None
        for network, name in _RESERVED_NETWORKS:
            if ip in network:
                return f"in {network} ({name})"
        if isinstance(ip, IPv6Address) and ip not in _GLOBAL_UNICAST:
            return f"outside {_GLOBAL_UNICAST} (global unicast)"
        return None


def _networks(field: str, texts: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


_RESERVED_NETWORKS = tuple((ip_network(text), name) for text, name in _RESERVED.items())
