"""A crowd of WebSocket clients in one process, cheap enough to measure a server and not itself.

Each client is a protocol of its own that reads frames as they come: it counts those that carry the
mark, answers pings, and tells how long after it was sent a message came.
"""

import asyncio
import base64
import os
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

#: Stands before the time at which a message was sent, in nanoseconds, 19 digits.
MARK = b"~sent:"
_DIGITS = 19
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def text_frame(data: bytes, opcode: int = TEXT) -> bytes:
    """A frame of a client's; masked with zeros, which changes nothing and costs nothing."""
    size = len(data)
    head = bytes([0x80 | opcode])
    head += bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
    return head + b"\0\0\0\0" + data


def stamped() -> bytes:
    """What a message carries so that its way can be measured."""
    return MARK + str(time.time_ns()).encode()


@dataclass
class Tally:
    """What a crowd has seen."""

    delivered: int = 0
    latencies: list[float] = field(default_factory=list)  # seconds
    closed: int = 0


class Member(asyncio.Protocol):
    """One client. `on_open` may send; a sender sends anew when its own message is back."""

    def __init__(self, tally: Tally, path: str, origin: str, greeting: Sequence[bytes]) -> None:
        self.tally = tally
        self.count = 0
        self.measures = False
        self.again: Callable[[], bytes | None] | None = None
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.until = b""  # what settles it; nothing: the handshake does
        self._request = _handshake(path, origin)
        self._greeting = greeting
        self._buffer = b""
        self._open = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self.tally.closed += 1
        if not self.settled.done():
            self.settled.set_exception(ConnectionError(f"closed before it was let in: {exc}"))

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self._open:
            head, end, rest = buffer.partition(b"\r\n\r\n")
            if not end:
                self._buffer = buffer
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.settled.set_exception(ConnectionError(head[:80].decode(errors="replace")))
                self.transport.close()
                return
            self._open, buffer = True, rest
            for message in self._greeting:
                self.transport.write(text_frame(message))
            if not self.until:
                self.settled.set_result(None)
        self._buffer = self._frames(buffer)

    def _frames(self, buffer: bytes) -> bytes:
        start, end = 0, len(buffer)
        while end - start >= 2:
            size, body = buffer[start + 1], start + 2
            if size == 126:
                body = start + 4
                size = int.from_bytes(buffer[start + 2 : body], "big") if end >= body else 1 << 40
            elif size == 127:
                body = start + 10
                size = int.from_bytes(buffer[start + 2 : body], "big") if end >= body else 1 << 40
            if body + size > end:
                break
            opcode = buffer[start] & 15
            if opcode == TEXT:
                self._text(buffer, body, body + size)
            elif opcode == PING:
                self.transport.write(text_frame(buffer[body : body + size], PONG))
            elif opcode == CLOSE:
                self.transport.close()
            start = body + size
        return buffer[start:]

    def _text(self, buffer: bytes, start: int, end: int) -> None:
        place = buffer.find(MARK, start, end)
        if place < 0:
            if self.until and not self.settled.done() and buffer.find(self.until, start, end) >= 0:
                self.settled.set_result(None)
            return
        self.count += 1
        self.tally.delivered += 1
        if self.measures:
            begin = place + len(MARK)
            sent = int(buffer[begin : begin + _DIGITS])
            self.tally.latencies.append((time.time_ns() - sent) / 1e9)
        if self.again is not None and buffer.find(self.own, start, end) >= 0:
            self.send()

    own = b"\0"

    def send(self) -> None:
        """Send the next message, if there is one."""
        message = self.again() if self.again else None
        if message is not None:
            self.transport.write(text_frame(message))


async def gather(
    count: int,
    address: tuple[str, int],
    make: Callable[[int, Tally], Member],
    tally: Tally,
    at_once: int = 50,
) -> list[Member]:
    """So many members, each let in before this returns; raises ConnectionError."""
    members: list[Member] = []
    loop = asyncio.get_running_loop()
    for start in range(0, count, at_once):
        numbers = range(start, min(count, start + at_once))
        made = await asyncio.gather(
            *(loop.create_connection(partial(make, n, tally), *address) for n in numbers)
        )
        members += [member for _, member in made]
        async with asyncio.timeout(60):
            await asyncio.gather(*(member.settled for _, member in made))
    return members


def _handshake(path: str, origin: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Origin: {origin}\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
