"""The WebSocket server: who may connect, and what becomes of a connection."""

import asyncio
import hmac
import http
import logging
import random
import socket
import time
from collections import Counter
from functools import partial
from ipaddress import ip_address
from typing import cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.typing import Origin

from chatroom.chat import Chat
from chatroom.config import Config
from chatroom.connection import GuardedConnection, Outbox, frame
from chatroom.core.errors import BadTicket, Close, Code, Refused
from chatroom.core.hub import Client
from chatroom.core.messages import Bye, encode
from chatroom.core.rates import Rates
from chatroom.core.requests import Hello, decode
from chatroom.metrics import Figures

PATH = "/ws/"
#: Seconds between two pings, until a pong must be there, and to close: together under 30.
PING_EVERY, PING_TIMEOUT, CLOSE_TIMEOUT = 8.0, 12.0, 5.0
SWEEP_EVERY = 1.0
#: Bytes the kernel may hold for a client, so that one that reads nothing is seen soon.
SEND_BUFFER = 256 * 1024
#: Within how many seconds clients come back when this instance stops.
COME_BACK = 3.0

log = logging.getLogger(__name__)


class Gateway:
    """Listens on the configured address from `start` to `drain`."""

    def __init__(self, chat: Chat, config: Config) -> None:
        self.chat = chat
        self.figures = Figures(chat)
        self.draining = False
        self._config = config
        self._limits = config.limits
        self._open: dict[ServerConnection, Outbox] = {}
        self._addresses: Counter[str] = Counter()
        self._arrivals = Rates(self._limits.arrivals, self._limits.arrival_burst)
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._server is not None  # noqa: S101 - for the type checker
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def start(self) -> None:
        """Listen; raises OSError when the address cannot be had."""
        self._server = await serve(
            self._serve,
            sock=_listener(self._config.host, self._config.port),
            origins=[Origin(origin) for origin in self._config.origins],
            process_request=self._request,
            create_connection=cast(
                "type[ServerConnection]", partial(GuardedConnection, limits=self._limits)
            ),
            compression=None,  # what is compressed once for each client is not sent once for all
            max_size=self._limits.frame,
            max_queue=16,
            ping_interval=PING_EVERY,
            ping_timeout=PING_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
            open_timeout=10,
            server_header=None,
            backlog=1024,
        )
        self.chat.work.start(self._sweep(), "sweep")

    async def drain(self) -> None:
        """Send everybody to another instance, and listen no more."""
        self.draining = True
        assert self._server is not None  # noqa: S101 - for the type checker
        self._server.close(close_connections=False)
        for client in list(self.chat.hub.clients.values()):
            wait = round(random.uniform(0.1, COME_BACK), 2)  # noqa: S311 - no secret
            client.port.write(frame(encode(Bye(wait))))
        closing = [c.close(Close.RESTART, "come back") for c in self._open]
        await asyncio.gather(*closing, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, connection: ServerConnection) -> None:
        address = self._address(connection)
        self._addresses[address] += 1
        outbox = self._open[connection] = Outbox(connection, self._limits)
        client: Client | None = None
        try:
            client = await self._admit(connection, outbox)
            if client is not None:
                async for message in connection:
                    await self.chat.handle(client, message)
        except ConnectionClosed as closed:
            log.debug("a connection ended: %s", closed)
        finally:
            del self._open[connection]
            self.figures.put_out += outbox.put_out or _answers_no_ping(connection)
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
            if client is not None:
                self.chat.depart(client)

    async def _admit(self, connection: ServerConnection, outbox: Outbox) -> Client | None:
        """The client, once it has shown a ticket; None if it was turned away."""
        try:
            async with asyncio.timeout(self._limits.hello):
                hello = decode(await connection.recv())
            if not isinstance(hello, Hello):
                raise BadTicket("the first message must be hello")
            return await self.chat.admit(hello.ticket, outbox)
        except TimeoutError:
            why: tuple[Close, str] = Close.NO_TICKET, "no ticket came"
        except BadTicket as error:
            why = Close.BAD_TICKET, str(error)
        except ValueError:  # msgspec's errors are such
            why = Close.POLICY, "the first message must be hello"
        except Refused as error:
            crowded = error.code is Code.TOO_MANY
            why = (Close.CROWDED if crowded else Close.SLOW), error.text
        self.figures.turned_away += 1
        await connection.close(*why)
        return None

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer what is no WebSocket, and turn away whom there is no room for."""
        path = request.path.partition("?")[0]
        if path == "/healthz":
            return self._health()
        if path == "/metrics":
            return self._metrics(connection, request)
        if path != PATH:
            return _response(http.HTTPStatus.NOT_FOUND, b"There is nothing here.\n")
        if self.draining:
            return _response(http.HTTPStatus.SERVICE_UNAVAILABLE, b"Draining.\n")
        address = self._address(connection, request)
        crowded = (
            len(self._open) >= self._limits.connections
            or self._addresses[address] >= self._limits.per_address
            or self._arrivals.take(address, time.monotonic())
        )
        if crowded:
            self.figures.turned_away += 1
            return _response(http.HTTPStatus.TOO_MANY_REQUESTS, b"Too many connections.\n")
        return None

    def _health(self) -> Response:
        if self.draining:
            return _response(http.HTTPStatus.SERVICE_UNAVAILABLE, b"draining\n")
        # Without its bus an instance is still the right place: others have the same one.
        state = b"ok\n" if self.chat.bus.up else b"ok, the bus is away\n"
        return _response(http.HTTPStatus.OK, state)

    def _metrics(self, connection: ServerConnection, request: Request) -> Response:
        if token := self._config.metrics_token:
            given = request.headers.get("Authorization", "")
            allowed = hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
        else:
            local = ip_address(connection.remote_address[0].partition("%")[0]).is_loopback
            allowed = local and "X-Forwarded-For" not in request.headers
        if not allowed:
            return _response(http.HTTPStatus.FORBIDDEN, b"Not for you.\n")
        return _response(http.HTTPStatus.OK, self.figures.text())

    def _address(self, connection: ServerConnection, request: Request | None = None) -> str:
        """Whose connection it is: the proxy's word counts only where there is a proxy."""
        asked = request or connection.request
        if self._config.trust_proxy and asked is not None:
            passed = asked.headers.get_all("X-Forwarded-For")
            if passed:
                return passed[-1].rpartition(",")[2].strip()
        return str(connection.remote_address[0])

    async def _sweep(self) -> None:
        """Look once a second at who is stuck and whose rights have ended."""
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            self.run_once(time.monotonic())

    def run_once(self, now: float) -> None:
        """One look."""
        self._arrivals.forget(now)
        for outbox in list(self._open.values()):
            outbox.check(now)
        for id in self.chat.admission.expired(now):
            if client := self.chat.hub.clients.get(id):
                self._end(client)

    def _end(self, client: Client) -> None:
        for connection, outbox in self._open.items():
            if outbox is client.port:
                self.chat.admission.forget(client.id)
                closing = _close(connection, Close.EXPIRED, "the ticket's rights have ended")
                self.chat.work.start(closing, "closing")
                return


def _answers_no_ping(connection: ServerConnection) -> bool:
    closing = connection.protocol.close_sent
    return closing is not None and closing.code == CloseCode.INTERNAL_ERROR


async def _close(connection: ServerConnection, code: Close, reason: str) -> None:
    await connection.close(code, reason)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's waiting off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _response(status: http.HTTPStatus, body: bytes) -> Response:
    headers = Headers(
        {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body)),
         "Connection": "close"}
    )  # fmt: skip
    return Response(status.value, status.phrase, headers, body)
