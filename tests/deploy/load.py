"""What goes on at a stack while it is changed: people and programs that read, hand in and talk."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.deploy.site import Site
from tests.deploy.stack import Stack
from tests.deploy.visitors import Program, Visitor, unverified


class Load:
    """A person and programs that read and hand in small jobs, and what they are refused."""

    def __init__(self, stack: Stack, site: Site, programs: int = 2) -> None:
        token = stack.token()
        self._visitors = [stack.visitor(), *(Program(stack.url, token) for _ in range(programs))]
        self._site = site
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=(visitor,)) for visitor in self._visitors
        ]
        # Lists, for two threads that add to one number at once may count only one of them.
        self._answered: list[str] = []
        self._accepted: list[str] = []
        self.failed: list[str] = []

    @property
    def answered(self) -> int:
        """How many requests were."""
        return len(self._answered)

    @property
    def tasks(self) -> int:
        """How many were accepted."""
        return len(self._accepted)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _visit(self, visitor: Visitor | Program) -> None:
        while not self._stopped.wait(0.1):
            self._note("read", visitor.read)
            urls = self._site.urls(5)
            if self._note("hand in", lambda urls=urls: visitor.submit(urls)):
                self._accepted.extend(urls)

    def _note(self, what: str, act: Callable[[], str]) -> bool:
        began = time.strftime("%X")
        try:
            refusal = act()
        except OSError as error:
            refusal = repr(error)
        if refusal:
            self.failed.append(f"{began} {what}: {refusal}")
        else:
            self._answered.append(what)
        return not refusal


@contextmanager
def chat(stack: Stack, origin: str = "") -> Iterator[ClientConnection]:
    """The administrator in the chat."""
    place = stack.url.replace("https", "wss") + "/ws/"
    origin = origin or stack.url
    ticket = stack.visitor().ticket()
    with connect(place, origin=Origin(origin), ssl=unverified()) as person:
        person.send(json.dumps({"t": "hello", "ticket": ticket}))
        heard(person, "welcome")
        yield person


def heard(person: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    while True:
        message: dict[str, Any] = json.loads(person.recv(timeout=20))
        if message["t"] == kind:
            return message
