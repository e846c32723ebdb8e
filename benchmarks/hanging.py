"""A site whose pages take their time: it takes every request and lets it wait."""

import asyncio
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from hashworld.embedded.ports import find_free

HANGS_SECONDS = 30.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class HangingSite:
    """Listens on one port of all `addresses`, on a thread, from `with` to its end."""

    def __init__(self, addresses: Sequence[str], seconds: float = HANGS_SECONDS) -> None:
        self._addresses = addresses
        self._seconds = seconds
        self.port = find_free(addresses)
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hanging site", daemon=True)

    def urls(self, addresses: Sequence[str], path: str, count: int) -> list[str]:
        """`count` URLs under `path`, over `addresses` in turn; none when there are none."""
        return [
            f"http://{addresses[number % len(addresses)]}:{self.port}/{path}/{number}"
            for number in range(count if addresses else 0)
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        listening = self._loop.create_server(
            lambda: Unhurried(self._seconds), self._addresses, self.port, backlog=1024
        )
        server = self._loop.run_until_complete(listening)
        self._listening.set()
        self._loop.run_forever()
        server.close()
        self._loop.close()


class Unhurried(asyncio.Protocol):
    """One connection, one request, answered after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the wait; whether a request comes makes no difference."""
        assert isinstance(transport, asyncio.Transport)
        asyncio.get_running_loop().call_later(self._seconds, self._answer, transport)

    @staticmethod
    def _answer(transport: asyncio.Transport) -> None:
        transport.write(ANSWER)
        transport.close()
