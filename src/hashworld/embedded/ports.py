"""Which TCP ports of this machine are free."""

import errno
import socket
from collections.abc import Iterable


class AddressUnusable(Exception):
    """A server cannot listen where it is told to; the message names the variable to change."""


def require_free(bind: str, variable: str) -> None:
    """Raise AddressUnusable unless a server could listen on `bind`, "host:port".

    `variable` is the environment variable that `bind` came from.
    """
    host, _, port = bind.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise AddressUnusable(f"{variable}={bind} is not of the form host:port")
    try:
        _bind(host.strip("[]"), int(port)).close()
    except OSError as error:
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error})"
        raise AddressUnusable(f"{bind} {reason}: set {variable} to another address") from error


def find_free(hosts: Iterable[str] = ("127.0.0.1",)) -> int:
    """A port that is free on every one of `hosts`; the kernel picks it for the first."""
    first, *others = hosts
    for _ in range(100):
        taken = [_bind(first, 0)]
        try:
            port: int = taken[0].getsockname()[1]
            for host in others:
                taken.append(_bind(host, port))
            return port
        except OSError:
            continue  # in use on one of the others; the next try gets another port
        finally:
            for listener in taken:
                listener.close()
    raise AddressUnusable(f"no port is free on all of {first}, {', '.join(others)}")


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # As servers do: what a closed connection left behind does not count as in use.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1)
    except OSError:
        listener.close()
        raise
    return listener
