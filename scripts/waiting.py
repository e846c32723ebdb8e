"""Waits until servers answer: `waiting.py SECONDS HOST:PORT...`.

An address that the environment names as the database, the broker or Redis has to answer as the
application's user would ask; any other has to accept a connection. Needs nothing of HashWorld, so
that every image can use it.
"""

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

#: Seconds between two looks, and that one look may take.
POLL = 0.5
PATIENCE = 5

Ask = Callable[[SplitResult], None]


class Server(NamedTuple):
    """An address, what is there, and how to ask it; `url` says as whom."""

    address: str
    kind: str
    url: SplitResult
    ask: Ask


class Unusable(Exception):
    """The environment names a server in a way that cannot be used."""


def main(arguments: list[str]) -> int:
    """Exit code 0 when all answered, 1 when one did not in time, 2 when that can never be."""
    deadline = time.monotonic() + float(arguments[0])
    try:
        for server in servers(arguments[1:], os.environ):
            if reason := wait(server, deadline):
                say(
                    f"{server.kind} {server.address} did not answer"
                    f" within {arguments[0]} s: {reason}"
                )
                return 1
    except Unusable as error:
        say(str(error))
        return 2
    return 0


def wait(server: Server, deadline: float) -> str:
    """Nothing once it has answered, else why not at the deadline; says so whenever that changes."""
    told = ""
    while reason := failure(server):
        if time.monotonic() >= deadline:
            return reason
        if reason != told:
            say(f"waiting for {server.kind} {server.address}: {reason}")
        told = reason
        time.sleep(POLL)
    return ""


def failure(server: Server) -> str:
    """Why the server cannot be used now; nothing when it can."""
    try:
        server.ask(server.url)
    except Exception as error:
        # Whatever a client library raises means that it cannot be used yet.
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def servers(addresses: list[str], environment: Mapping[str, str]) -> list[Server]:
    """What is known of each address; raises Unusable."""
    known = {
        f"{url.hostname}:{url.port or port}": (kind, url, ask)
        for kind, url, port, ask in (
            ("database", database(environment), 3306, ask_database),
            ("broker", named("CELERY_BROKER_URL", environment), 5672, ask_broker),
            ("redis", named("REDIS_URL", environment), 6379, ask_redis),
            ("redis", named("CHATROOM_REDIS_URL", environment), 6379, ask_redis),
        )
    }
    return [
        Server(address, *known.get(address, ("server", urlsplit(f"tcp://{address}"), ask_server)))
        for address in addresses
    ]


def database(environment: Mapping[str, str]) -> SplitResult:
    """DATABASE_URL, or the URL that the MYSQL_ variables make."""
    if url := value("DATABASE_URL", environment):
        return split("DATABASE_URL", url)
    user = quote(value("MYSQL_USER", environment) or "hashworld", safe="")
    password = quote(value("MYSQL_PASSWORD", environment), safe="")
    host = value("MYSQL_HOST", environment)
    port = value("MYSQL_PORT", environment) or "3306"
    name = value("MYSQL_DATABASE", environment) or "hashworld"
    return split("MYSQL_HOST", f"mysql://{user}:{password}@{host}:{port}/{name}")


def named(name: str, environment: Mapping[str, str]) -> SplitResult:
    """The URL in a variable."""
    return split(name, value(name, environment))


def split(name: str, url: str) -> SplitResult:
    """The parts of a URL; raises Unusable, with the variable's name and without the password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Unusable(f"{name} is not the URL of a server") from error
    return parts


def value(name: str, environment: Mapping[str, str]) -> str:
    """A variable, or what is in the file that NAME_FILE names; raises Unusable."""
    if path := environment.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise Unusable(f"{name}_FILE: {path} cannot be read: {error.strerror}") from error
    return environment.get(name, "").strip()


def ask_database(url: SplitResult) -> None:
    """One query."""
    import MySQLdb  # not where there is no database, as in the chatroom's image

    connection = MySQLdb.connect(
        host=url.hostname,
        port=url.port or 3306,
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        database=url.path.lstrip("/"),
        connect_timeout=PATIENCE,
        read_timeout=PATIENCE,
    )
    try:
        connection.query("SELECT 1")
    finally:
        connection.close()


def ask_broker(url: SplitResult) -> None:
    """A connection to the virtual host."""
    import amqp

    connection = amqp.Connection(
        f"{url.hostname}:{url.port or 5672}",
        userid=unquote(url.username or ""),
        password=unquote(url.password or ""),
        virtual_host=unquote(url.path[1:]) or "/",
        connect_timeout=PATIENCE,
        read_timeout=PATIENCE,
    )
    connection.connect()
    connection.close()


def ask_redis(url: SplitResult) -> None:
    """PING."""
    import redis

    with redis.Redis.from_url(
        url.geturl(), socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
    ) as client:
        client.ping()


def ask_server(url: SplitResult) -> None:
    """A connection."""
    socket.create_connection((url.hostname or "", url.port or 0), PATIENCE).close()


def say(text: str) -> None:
    """One line to standard error."""
    print(f"startup: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
