"""A TCP proxy that does to a link what networks do: delay it, cut it, tear it.

What is cut keeps every connection open and takes bytes in, as far as its buffers reach, but hands
nothing on, not even an end. When it is whole again, what was held comes through late, as after
TCP's own retransmissions: a statement may reach the database long after its sender gave up. What
drops loses all of it for good instead, and tears every connection when it is whole again.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

PIECE = 64 * 1024
#: Pieces that one direction of a connection holds while it is delayed or cut.
HELD = 64
_NO_LINGER = struct.pack("ii", 1, 0)  # closing sends RST


@dataclass(frozen=True, slots=True)
class Weather:
    """How a link is: which directions are cut, and by how many seconds requests are delayed.

    `up` is from the client to the server. A delay varies evenly by `jitter` to either side.
    """

    cut_up: bool = False
    cut_down: bool = False
    delay: float = 0.0
    jitter: float = 0.0
    refuses: bool = False
    drops: bool = False


@dataclass(slots=True, eq=False)
class Link:
    """A connection's two sides, towards the client and towards the server.

    `gone` is one that was closed without a word to the other.
    """

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    gone: asyncio.StreamWriter | None = None


#: The pieces on their way, each with the time when it is due.
Held = asyncio.Queue[tuple[float, bytes | None]]

PASS = Weather()
CUT = Weather(cut_up=True, cut_down=True)
REQUESTS_LOST = Weather(cut_up=True)
DROP = Weather(cut_up=True, cut_down=True, drops=True)
ANSWERS_LOST = Weather(cut_down=True)
REFUSE = Weather(refuses=True)


class Loop:
    """An event loop in a thread of its own, for all proxies of a run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        #: What listens in this loop, closed with it.
        self.servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)

    def call(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the loop, and return when it has ended."""
        self.begin(work).result()

    def begin(self, work: Coroutine[Any, Any, None]) -> "Future[None]":
        """Run a coroutine in the loop beside the caller."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cancel_all(self) -> None:
        for server in self.servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # a closed transport ends in the loop's next round


class Proxy:
    """One link to a server; `port` is where its clients connect, at 127.0.0.1.

    The methods are called from outside the loop's thread, and act before they return.
    """

    def __init__(self, loop: Loop, port: int) -> None:
        self._loop = loop
        self._target = port
        self._weather = PASS
        self._flapping: Future[None] | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._links: set[Link] = set()
        loop.call(self._open())

    def set(self, weather: Weather) -> None:
        """Let the link be so from now on; those that are open stay open, unless it refuses."""
        if self._flapping:
            self._flapping.cancel()
            self._flapping = None
        self._loop.call(self._set(weather))

    def reset(self) -> None:
        """Tear every connection with RST; new ones are welcome."""
        self._loop.call(self._tear())

    def half_open(self, *, client_knows: bool) -> None:
        """Reset one side of every connection: the other is told when it writes, and not before.

        New ones are welcome.
        """
        self._loop.call(self._forget(client_knows))

    def flap(self, whole: float, cut: float) -> None:
        """Be whole and cut by turns, for so many seconds each, until `set` is called."""
        self.set(PASS)
        self._flapping = self._loop.begin(self._flap(whole, cut))

    async def _open(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._loop.servers.append(server)
        self.port: int = server.sockets[0].getsockname()[1]
        self._changed = asyncio.Condition()

    async def _set(self, weather: Weather) -> None:
        was_dropping, self._weather = self._weather.drops, weather
        if weather.refuses or (was_dropping and not weather.drops):
            await self._tear()
        async with self._changed:
            self._changed.notify_all()

    async def _flap(self, whole: float, cut: float) -> None:
        while True:
            await self._set(PASS)
            await asyncio.sleep(whole)
            await self._set(CUT)
            await asyncio.sleep(cut)

    async def _tear(self) -> None:
        for writer in list(self._writers):
            _tear(writer)

    async def _forget(self, client_knows: bool) -> None:
        for link in self._links:
            link.gone = link.near if client_knows else link.far
            _tear(link.gone)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # the loop ends; the streams' code would report it
            await self._connect(reader, writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._weather.refuses:
                raise ConnectionRefusedError
            await self._until_whole(up=True)  # a cut link does not reach the server at all
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
            link = Link(writer, far)
            self._writers.add(far)
            self._links.add(link)
            try:
                await self._carry_both(link, reader, far_reader)
            finally:
                self._links.discard(link)
                self._writers.discard(far)
                far.close()
        except* OSError:
            _tear(writer)  # torn by either side, or the server is away
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _carry_both(
        self, link: Link, near: asyncio.StreamReader, far: asyncio.StreamReader
    ) -> None:
        """Carry both directions to their ends; an error of one tears both."""
        async with asyncio.TaskGroup() as group:
            for reader, is_up in ((near, True), (far, False)):
                held: Held = asyncio.Queue(HELD)
                group.create_task(self._take_in(link, reader, held, up=is_up))
                group.create_task(self._hand_on(link, held, up=is_up))

    async def _take_in(
        self, link: Link, reader: asyncio.StreamReader, held: Held, *, up: bool
    ) -> None:
        """Note when each piece is due; an empty one is the end, None that the sender tore."""
        sender = link.near if up else link.far
        data: bytes | None = b"more"
        while data:
            try:
                data = await reader.read(PIECE)
            except OSError:
                data = None
            if link.gone is sender:
                return
            if link.gone:
                raise ConnectionResetError  # so a host answers that has forgotten
            if data and self._weather.drops:
                continue
            await held.put((asyncio.get_running_loop().time() + self._lateness(up), data))

    async def _hand_on(self, link: Link, held: Held, *, up: bool) -> None:
        writer = link.far if up else link.near
        data: bytes | None = None
        while data != b"":
            due, data = await held.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            await self._until_whole(up=up)
            if data is None:
                raise ConnectionResetError
            await _write(link, writer, data)
        writer.write_eof()

    async def _until_whole(self, *, up: bool) -> None:
        async with self._changed:
            await self._changed.wait_for(
                lambda: not (self._weather.cut_up if up else self._weather.cut_down)
            )

    def _lateness(self, up: bool) -> float:
        if not up:
            return 0.0
        return self._weather.delay + random.uniform(-1, 1) * self._weather.jitter


async def _write(link: Link, writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write to a side, if it is there; that it is not is no news for the other."""
    if link.gone is writer:
        return
    writer.write(data)
    try:
        await writer.drain()
    except OSError:
        if link.gone is not writer:
            raise


def _tear(writer: asyncio.StreamWriter) -> None:
    if (connection := writer.get_extra_info("socket")) is not None:
        with suppress(OSError):  # closed already
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()
