"""The demo's web site: several hosts on loopback addresses, good pages and every kind of bad one.

Run as `python -m hashworld.embedded.site PORT`. It speaks just enough HTTP/1.1 for its purpose:
GET, and connections that stay open.
"""

import asyncio
import gzip
import socket
import struct
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from random import Random

import brotli  # type: ignore[import-untyped]

from hashworld.embedded.pages import HOSTS, KINDS, PRIVATE_HOST

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BOMB_BYTES = 200 * 1024 * 1024
PARAGRAPHS = 32
#: SO_LINGER with no time to linger: closing sends RST (socket(7)).
LINGER_NOT = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: which page, at which host, and how often it was asked for before."""

    name: str
    number: int
    query: str
    host: str
    port: int
    before: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send; `manner` is how: "whole", "hang", "reset" (half of it) or "endless"."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    manner: str = "whole"

    def head(self) -> bytes:
        """Status line and headers; an endless body has no length."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        fields = {"Content-Type": "text/html; charset=utf-8", **self.headers}
        if self.manner != "endless":
            fields["Content-Length"] = str(len(self.body))
        lines += [f"{name}: {value}" for name, value in fields.items()]
        return "\r\n".join([*lines, "", ""]).encode()


def answer(visit: Visit) -> Answer:
    """The site's answer to a visit; 404 for what is no page."""
    return _ANSWERS.get(visit.name, _not_found)(visit)


class Site:
    """Serves the pages on `hosts`, all at one port; remembers how often each was asked for."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}

    @asynccontextmanager
    async def serve(self, hosts: Sequence[str], port: int) -> AsyncIterator[asyncio.Server]:
        """Listen while the context lasts."""
        _bomb()  # takes a second, in which nobody should wait
        server = await asyncio.start_server(self._converse, list(hosts), port, backlog=1024)
        async with server:
            yield server

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the visitor has gone, as all do one day
        finally:
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection stays open."""
        request = await reader.readuntil(b"\r\n\r\n")
        target = request.split(b" ", 2)[1].decode("ascii", "replace")
        reply = answer(self._visit(target, *writer.get_extra_info("sockname")))
        await asyncio.sleep(reply.delay)
        return await _send(reply, reader, writer)

    def _visit(self, target: str, host: str, port: int) -> Visit:
        path, _, query = target.partition("?")
        _, name, number = (*path.split("/", 2), "", "")[:3]
        before = self._asked.get(host + target, 0)
        self._asked[host + target] = before + 1
        return Visit(name, int(number) if number.isdecimal() else 0, query, host, port, before)


async def _send(reply: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    if reply.manner == "hang":
        await reader.read()  # until the visitor hangs up
        return False
    if reply.manner == "reset":
        writer.write(reply.head() + reply.body[: len(reply.body) // 2])
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        return False
    writer.write(reply.head() + reply.body)
    await writer.drain()
    while reply.manner == "endless":
        writer.write(reply.body)
        await writer.drain()
    return True


def _page(visit: Visit) -> Answer:
    return Answer(body=_html(visit, f"Page {visit.number} of {visit.host}").encode())


def _redirect(visit: Visit) -> Answer:
    if not visit.query:
        return Answer(301, {"Location": f"/redirect/{visit.number}?again"})
    other = HOSTS[(HOSTS.index(visit.host) + 1) % len(HOSTS)] if visit.host in HOSTS else HOSTS[0]
    return Answer(301, {"Location": f"http://{other}:{visit.port}/page/{visit.number}"})


def _encoded(coding: str, encode: Callable[[bytes], bytes]) -> Callable[[Visit], Answer]:
    def reply(visit: Visit) -> Answer:
        return Answer(headers={"Content-Encoding": coding}, body=encode(_page(visit).body))

    return reply


def _shift_jis(visit: Visit) -> Answer:
    body = _html(visit, KINDS["shift-jis"].title).encode("shift_jis")
    return Answer(headers={"Content-Type": "text/html; charset=Shift_JIS"}, body=body)


def _windows_1251(visit: Visit) -> Answer:
    html = _html(visit, KINDS["windows-1251"].title, '<meta charset="windows-1251">')
    return Answer(headers={"Content-Type": "text/html"}, body=html.encode("windows-1251"))


def _utf_16(visit: Visit) -> Answer:
    body = b"\xff\xfe" + _html(visit, KINDS["utf-16"].title).encode("utf-16-le")
    return Answer(headers={"Content-Type": "text/html"}, body=body)


def _slow(visit: Visit) -> Answer:
    return Answer(body=_page(visit).body, delay=1.0 + visit.number % 100 / 100)


def _error_once(visit: Visit) -> Answer:
    return _page(visit) if visit.before else Answer(500, body=b"<title>Not yet</title>")


def _busy_once(visit: Visit) -> Answer:
    return _page(visit) if visit.before else Answer(429, {"Retry-After": "1"})


def _not_found(visit: Visit) -> Answer:
    return Answer(404, body=b"<title>Not found</title>")


def _forbidden(visit: Visit) -> Answer:
    return Answer(403, body=b"<title>Forbidden</title>")


def _hang(visit: Visit) -> Answer:
    return Answer(manner="hang")


def _reset(visit: Visit) -> Answer:
    return Answer(body=_page(visit).body, manner="reset")


def _private(visit: Visit) -> Answer:
    return Answer(302, {"Location": f"http://{PRIVATE_HOST}:{visit.port}/"})


def _endless(visit: Visit) -> Answer:
    return Answer(body=b"<p>and so on</p>\n" * 1024, manner="endless")


def _explode(visit: Visit) -> Answer:
    return Answer(headers={"Content-Encoding": "gzip"}, body=_bomb())


_ANSWERS: dict[str, Callable[[Visit], Answer]] = {
    "page": _page,
    "redirect": _redirect,
    "gzip": _encoded("gzip", lambda body: gzip.compress(body, 1)),
    "brotli": _encoded("br", lambda body: brotli.compress(body, quality=1)),
    "zstd": _encoded("zstd", lambda body: zstd.compress(body, 1)),
    "shift-jis": _shift_jis,
    "windows-1251": _windows_1251,
    "utf-16": _utf_16,
    "slow": _slow,
    "error-once": _error_once,
    "busy-once": _busy_once,
    "not-found": _not_found,
    "forbidden": _forbidden,
    "hang": _hang,
    "reset": _reset,
    "private": _private,
    "endless": _endless,
    "bomb": _explode,
}


def _html(visit: Visit, title: str, meta: str = "") -> str:
    order = Random(visit.number).sample(_paragraphs(), PARAGRAPHS)  # noqa: S311 - filler
    links = [
        f'<li><a href="/page/{visit.number + step}">Page {step} on</a>' for step in range(1, 9)
    ]
    lines = [
        f"<!doctype html><html><head>{meta}<title>{title}</title></head><body><h1>{title}</h1>",
        f"<p>{visit.name} {visit.number} of {visit.host}",
        *order,
        *("<ul>", *links, "</ul></body></html>"),
    ]
    return "\n".join(lines)


@cache
def _paragraphs() -> list[str]:
    """Filler, 600 characters each, that compresses about as well as prose."""
    random = Random(0)  # noqa: S311 - filler
    letters = "eeeetttaaaooiinnsshhrrddlluccmfwypvbgk"
    words = ["".join(random.choices(letters, k=random.randint(2, 9))) for _ in range(2000)]
    return ["<p>" + " ".join(random.choices(words, k=95)) for _ in range(2 * PARAGRAPHS)]


@cache
def _bomb() -> bytes:
    """BOMB_BYTES of zeros in gzip, made in small pieces."""
    press = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    piece = bytes(1024 * 1024)
    return b"".join(press.compress(piece) for _ in range(BOMB_BYTES // len(piece))) + press.flush()


async def main(port: int) -> None:
    """Serve until cancelled."""
    async with Site().serve(HOSTS, port):
        print(f"serving {len(HOSTS)} hosts from http://{HOSTS[0]}:{port}/page/1 on", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
