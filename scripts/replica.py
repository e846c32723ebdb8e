"""Prints the name of this container among the replicas of its service, such as worker-2.

Under compose, Docker's name server knows the address of a container as
`hashworld-worker-2.hashworld_inside`. The name stays when a container is made anew in its place.
Elsewhere it is the host name. The name server is asked itself: a container's own address stands in
its /etc/hosts, with the host name.
"""

import re
import socket
import struct
from pathlib import Path

COMPOSE = re.compile(r"[^.]+?-(?P<service>[a-z]+)-(?P<number>\d+)\.")

POINTER, INTERNET = 12, 1
PATIENCE = 2.0
TRIES = 3


def name(full: str, host: str) -> str:
    """The replica's name by its full name; the host's where that is none of Docker's."""
    found = COMPOSE.match(full)
    return f"{found['service']}-{found['number']}" if found else host


def question(address: str) -> bytes:
    """A name server's question for the name of an IPv4 address (RFC 1035)."""
    labels = [*reversed(address.split(".")), "in-addr", "arpa"]
    encoded = b"".join(bytes([len(label)]) + label.encode() for label in labels)
    header = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0)
    return header + encoded + b"\0" + struct.pack(">2H", POINTER, INTERNET)


def answered(message: bytes) -> str:
    """The first name in an answer; nothing where there is none."""
    if struct.unpack(">H", message[6:8]) == (0,):
        return ""
    _, position = _name_at(message, 12)
    _, position = _name_at(message, position + 4)
    return _name_at(message, position + 10)[0]


def _name_at(message: bytes, position: int) -> tuple[str, int]:
    """A name, each label followed by a dot, and where it ends."""
    labels = ""
    while length := message[position]:
        if length >= 0xC0:
            target = struct.unpack(">H", message[position : position + 2])[0] & 0x3FFF
            if target >= position:
                raise ValueError("a name that points ahead")
            return labels + _name_at(message, target)[0], position + 2
        labels += message[position + 1 : position + 1 + length].decode() + "."
        position += 1 + length
    return labels, position + 1


def ask(address: str, server: str) -> str:
    """The name that the server knows an address by; nothing where it knows or says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(PATIENCE)
        link.connect((server, 53))
        for _ in range(TRIES):
            link.send(question(address))
            try:
                return answered(link.recv(4096))
            except (OSError, IndexError, struct.error, ValueError):
                continue
    return ""


def main() -> None:
    """Print it."""
    host = socket.gethostname()
    servers = re.findall(r"^nameserver\s+([\d.]+)", Path("/etc/resolv.conf").read_text(), re.M)
    addresses = socket.gethostbyname_ex(host)[2]
    names = (name(ask(address, server), host) for address in addresses for server in servers[:1])
    print(next((found for found in names if found != host), host))


if __name__ == "__main__":
    main()
