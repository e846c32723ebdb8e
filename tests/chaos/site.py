"""The site that the nodes fetch, and its log of every request: the third ledger.

The first word of a path says how the page behaves, the rest makes it, and its body, distinct:

- ``/page/...`` answers at once, ``/slow/MS/...`` after so many milliseconds
- ``/hang/...`` never answers
- ``/flaky/...`` tells who comes first that it is busy
- ``/killer/...`` tells the process that fetched it to die (see `tests.chaos.app`)
- ``/freezer/...`` tells the process that fetched it first to wait until it was frozen; later ones
  wait a while
- ``/blocker/...`` tells it to freeze amid its next transaction
"""

import asyncio
import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self
from urllib.parse import urlsplit

#: The hosts of a small site, and of a large one.
HOSTS = tuple(f"127.0.0.{number}" for number in range(2, 10))
MANY_HOSTS = tuple(f"127.0.0.{number}" for number in range(2, 34))
#: What tells a node what to do to itself.
ORDER = "X-Chaos"
DIE = "die"
FREEZE = "freeze"
FREEZE_WRITING = "freeze writing"
#: What a node writes when it waits to be frozen.
PARKED = "holds a result and waits to be frozen"
#: What the pages of these kinds say, and whether to everybody or only to who comes first.
ORDERS = {"killer": (DIE, False), "freezer": (FREEZE, True), "blocker": (FREEZE_WRITING, True)}
#: How long a freezer keeps whoever comes after the one that froze, in seconds.
SECOND_LOOK = 3.0


def body(path: str) -> bytes:
    """The page at a path: a few kilobytes that no other path has."""
    lines = (hashlib.sha256(f"{path} {number}".encode()).hexdigest() for number in range(40))
    return "\n".join([f"<title>{path}</title>", *lines, ""]).encode()


class Site:
    """Serves all hosts on one port from a thread of its own while the context lasts."""

    def __init__(self, port: int, hosts: Sequence[str] = HOSTS) -> None:
        self.port = port
        self._hosts = tuple(hosts)
        self._gets: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._hung_up: dict[str, list[datetime]] = defaultdict(list)
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main()), name="site", daemon=True
        )

    def url(self, path: str, host: int = 0) -> str:
        """The URL of a path on one of the hosts, counted round."""
        return f"http://{self._hosts[host % len(self._hosts)]}:{self.port}{path}"

    def urls(self, folder: str, count: int) -> list[str]:
        """`count` URLs under a folder, over all hosts in turn."""
        return [self.url(f"{folder}/{number}", number) for number in range(count)]

    def gets(self, url: str) -> int:
        """How often a URL was asked for."""
        return self._gets[url]

    def log(self) -> dict[str, int]:
        """How often each URL was asked for."""
        return dict(self._gets)

    def waiting(self, url: str) -> int:
        """How many clients wait for this URL's answer at this moment."""
        return self._open[url]

    def hung_up(self, url: str) -> list[datetime]:
        """When clients gave up to wait for a page that never answers, in their order."""
        return list(self._hung_up[url])

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    async def _main(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, list(self._hosts), self.port, backlog=1024)
        self._ready.set()
        await self._stopped.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = urlsplit(head.split(b" ", 2)[1].decode()).path
                await self._answer(f"http://{host}:{self.port}{path}", path, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client is gone, or the site closes
        finally:
            writer.close()

    async def _answer(
        self, url: str, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._gets[url] += 1
        kind, _, rest = path[1:].partition("/")
        order, only_first = ORDERS.get(kind, ("", False))
        delay = int(rest.partition("/")[0]) / 1000 if kind == "slow" else 0.0
        if only_first and self._gets[url] > 1:
            order, delay = "", SECOND_LOOK
        self._open[url] += 1
        try:
            if kind == "hang":
                with suppress(OSError):
                    await reader.read()  # until the client hangs up
                self._hung_up[url].append(datetime.now(UTC))
                raise ConnectionResetError
            await asyncio.sleep(delay)
        finally:
            self._open[url] -= 1
        page = body(path)
        status = "503 Busy" if kind == "flaky" and self._gets[url] == 1 else "200 OK"
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n"
        writer.write(f"{head}{ORDER}: {order}\r\n\r\n".encode() + page)
        await writer.drain()
