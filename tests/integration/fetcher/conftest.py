"""Servers and engines for the fetcher's tests; all of them on loopback, all closed afterwards."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from hashworld.fetcher import AddressPolicy, Engine, HostLimits, Request, Response
from tests.integration.fetcher.server import Behaviour, Server

LOOPBACK = AddressPolicy(allow=("127.0.0.0/8", "::1/128"))


class Fetching:
    """An engine with the responses it has given so far."""

    def __init__(
        self, capacity: int = 64, policy: AddressPolicy = LOOPBACK, ca_file: str | None = None
    ) -> None:
        self.responses: dict[int, Response] = {}
        self.batches = 0
        self._changed = threading.Condition()
        self._keys = count(1)
        self.engine = Engine(capacity, policy, self._take, "HashWorld-test/1", ca_file=ca_file)
        self.engine.start()

    def submit(self, *urls: str, host: str = "host", **options: object) -> list[int]:
        requests = [
            Request(next(self._keys), url, host, **{"ports": None, **options})  # type: ignore[arg-type]
            for url in urls
        ]
        self.engine.submit(requests)
        return [request.key for request in requests]

    def wait(self, keys: list[int], timeout: float = 40) -> list[Response]:
        with self._changed:
            done = self._changed.wait_for(lambda: self.responses.keys() >= set(keys), timeout)
            assert done, f"no response for {set(keys) - self.responses.keys()}"
            return [self.responses[key] for key in keys]

    def fetch(self, url: str, **options: object) -> Response:
        return self.wait(self.submit(url, **options))[0]

    def _take(self, batch: list[Response]) -> None:
        with self._changed:
            self.batches += 1
            for response in batch:
                assert response.key not in self.responses, "reported twice"
                self.responses[response.key] = response
            self._changed.notify_all()


@pytest.fixture
def start() -> Iterator[Callable[..., Fetching]]:
    """Make engines; each is stopped after the test."""
    with ExitStack() as stack:

        def make(**options: object) -> Fetching:
            fetching = Fetching(**options)  # type: ignore[arg-type]
            stack.callback(fetching.engine.stop, 10)
            return fetching

        yield make


@pytest.fixture
def fetching(start: Callable[..., Fetching]) -> Fetching:
    """An engine that may connect to loopback."""
    return start()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Make servers; each is closed after the test."""
    with ExitStack() as stack:

        def make(behave: Behaviour, **options: object) -> Server:
            server = Server(behave, **options)  # type: ignore[arg-type]
            stack.callback(server.close)
            return server

        yield make


@dataclass(frozen=True)
class Certificate:
    """For localhost and 127.0.0.1, signed by nobody but itself."""

    path: str
    context: ssl.SSLContext


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    folder: Path = tmp_path_factory.mktemp("tls")
    command = (
        f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 "
        f"-keyout {folder}/key.pem -out {folder}/cert.pem"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return Certificate(str(folder / "cert.pem"), context)


@pytest.fixture
def one_at_a_time() -> HostLimits:
    return HostLimits(max_connections=1)
