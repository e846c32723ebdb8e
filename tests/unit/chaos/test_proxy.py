"""The proxy that the chaos run puts in front of the servers."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from time import monotonic

import pytest

from tests.chaos.proxy import (
    ANSWERS_LOST,
    CUT,
    DROP,
    PASS,
    REFUSE,
    REQUESTS_LOST,
    Loop,
    Proxy,
    Weather,
)
from tests.conftest import WaitUntil
from tests.services.service import comes_true

#: Long enough to be sure that nothing comes.
SILENCE = 0.15


def stays(condition: Callable[[], object]) -> bool:
    """Whether a condition holds for a while on end."""
    return not comes_true(lambda: not condition(), SILENCE)


class Echo:
    """A server that answers every byte with itself; `heard` is all that came."""

    def __init__(self) -> None:
        self.heard = b""
        self.open = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        if self._listener.fileno() > 0:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        self.open += 1
        with connection:
            try:
                while data := connection.recv(65536):
                    self.heard += data
                    connection.sendall(data)
            except OSError:
                pass
            finally:
                self.open -= 1


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as echo:
        yield echo


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Loop() as loop:
        yield Proxy(loop, echo.port)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection through the proxy that has been used."""
    with connected(proxy) as client:
        assert ask(client, b"hello") == b"hello"
        yield client


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def ask(client: socket.socket, question: bytes, patience: float = 5.0) -> bytes:
    """The answer; raises TimeoutError when none comes."""
    client.sendall(question)
    return listen(client, patience)


def listen(client: socket.socket, patience: float = 5.0) -> bytes:
    client.settimeout(patience)
    return client.recv(65536)


def test_what_is_sent_comes_through_and_so_does_the_end(
    client: socket.socket, echo: Echo, wait_until: WaitUntil
) -> None:
    big = bytes(range(256)) * 8192
    threading.Thread(target=client.sendall, args=(big,), daemon=True).start()
    came = b""
    while len(came) < len(big):
        came += listen(client)
    assert came == big
    client.shutdown(socket.SHUT_WR)
    assert listen(client) == b""
    wait_until(lambda: not echo.open)


def test_a_request_is_delayed_within_its_jitter(client: socket.socket, proxy: Proxy) -> None:
    proxy.set(Weather(delay=0.1, jitter=0.05))
    for _ in range(3):
        began = monotonic()
        ask(client, b"slow")
        assert monotonic() - began > 0.049
    proxy.set(PASS)
    began = monotonic()
    ask(client, b"fast")
    assert monotonic() - began < 0.049


def test_pieces_that_are_delayed_differently_keep_their_order(
    client: socket.socket, proxy: Proxy
) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    proxy.set(Weather(delay=0.02, jitter=0.02))
    sent = bytes(range(100))
    for number in sent:
        client.sendall(bytes([number]))
    came = b""
    while len(came) < len(sent):
        came += listen(client)
    assert came == sent


def test_a_cut_link_takes_bytes_in_hands_none_on_and_closes_nothing(
    client: socket.socket, proxy: Proxy, echo: Echo
) -> None:
    proxy.set(CUT)
    with pytest.raises(TimeoutError):
        ask(client, b"lost?", SILENCE)
    assert echo.heard == b"hello"
    assert echo.open == 1


def test_what_was_held_comes_through_when_the_link_is_whole_again(
    client: socket.socket, proxy: Proxy
) -> None:
    proxy.set(CUT)
    client.sendall(b"late")
    proxy.set(PASS)
    assert listen(client) == b"late"


def test_a_client_that_gives_up_leaves_a_statement_behind_that_arrives_later(
    client: socket.socket, proxy: Proxy, echo: Echo, wait_until: WaitUntil
) -> None:
    proxy.set(CUT)
    client.sendall(b" and goodbye")
    client.close()
    assert stays(lambda: echo.open == 1 and echo.heard == b"hello")
    proxy.set(PASS)
    wait_until(lambda: echo.heard == b"hello and goodbye" and not echo.open)


def test_even_an_abort_does_not_cross_a_cut_link(
    client: socket.socket, proxy: Proxy, echo: Echo, wait_until: WaitUntil
) -> None:
    proxy.set(CUT)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert stays(lambda: echo.open == 1)
    proxy.set(PASS)
    wait_until(lambda: not echo.open)


def test_a_new_connection_over_a_cut_link_reaches_nobody(
    proxy: Proxy, echo: Echo, wait_until: WaitUntil
) -> None:
    proxy.set(CUT)
    with connected(proxy) as client:
        with pytest.raises(TimeoutError):
            ask(client, b"anybody?", SILENCE)
        assert not echo.open
        proxy.set(PASS)
        assert listen(client) == b"anybody?"


def test_a_link_may_lose_requests_alone(client: socket.socket, proxy: Proxy, echo: Echo) -> None:
    proxy.set(REQUESTS_LOST)
    with pytest.raises(TimeoutError):
        ask(client, b" lost", SILENCE)
    assert echo.heard == b"hello"


def test_a_link_may_lose_answers_alone(
    client: socket.socket, proxy: Proxy, echo: Echo, wait_until: WaitUntil
) -> None:
    proxy.set(ANSWERS_LOST)
    with pytest.raises(TimeoutError):
        ask(client, b" heard", SILENCE)
    wait_until(lambda: echo.heard == b"hello heard")


def test_what_a_link_drops_never_comes_and_its_connection_is_torn_when_it_is_whole(
    client: socket.socket, proxy: Proxy, echo: Echo, wait_until: WaitUntil
) -> None:
    proxy.set(DROP)
    with pytest.raises(TimeoutError):
        ask(client, b" lost", SILENCE)
    assert (echo.heard, echo.open) == (b"hello", 1)
    proxy.set(PASS)
    with pytest.raises(ConnectionResetError):
        listen(client)
    wait_until(lambda: not echo.open)
    with connected(proxy) as another:
        assert ask(another, b" again") == b" again"
    assert echo.heard == b"hello again"


def test_what_was_held_when_a_link_began_to_drop_is_lost_too(
    client: socket.socket, proxy: Proxy, echo: Echo, wait_until: WaitUntil
) -> None:
    proxy.set(CUT)
    client.sendall(b" held")
    proxy.set(DROP)
    proxy.set(PASS)
    wait_until(lambda: not echo.open)
    assert echo.heard == b"hello"


def test_not_even_the_end_of_a_client_crosses_a_link_that_drops(
    client: socket.socket, proxy: Proxy, echo: Echo, wait_until: WaitUntil
) -> None:
    proxy.set(DROP)
    client.close()
    assert stays(lambda: echo.open == 1)
    proxy.set(PASS)
    wait_until(lambda: not echo.open)


def test_a_server_may_be_left_with_a_connection_whose_client_is_gone(
    client: socket.socket, proxy: Proxy, echo: Echo
) -> None:
    proxy.half_open(client_knows=True)
    with pytest.raises(ConnectionResetError):
        listen(client)
    assert stays(lambda: echo.open == 1)
    with connected(proxy) as another:
        assert ask(another, b" again") == b" again"


def test_a_client_may_be_left_with_a_connection_whose_server_is_gone(
    client: socket.socket, proxy: Proxy, echo: Echo, wait_until: WaitUntil
) -> None:
    proxy.half_open(client_knows=False)
    wait_until(lambda: not echo.open)
    with pytest.raises(TimeoutError):
        listen(client, SILENCE)
    with pytest.raises(ConnectionResetError):
        ask(client, b" anybody?")
    assert echo.heard == b"hello"


def test_a_reset_tears_what_is_open_and_welcomes_what_is_new(
    client: socket.socket, proxy: Proxy, echo: Echo, wait_until: WaitUntil
) -> None:
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        listen(client)
    wait_until(lambda: not echo.open)
    with connected(proxy) as another:
        assert ask(another, b"again") == b"again"


def test_a_link_that_refuses_tears_what_is_new_too(
    client: socket.socket, proxy: Proxy, wait_until: WaitUntil
) -> None:
    proxy.set(REFUSE)
    with pytest.raises(ConnectionResetError):
        listen(client)
    with pytest.raises(ConnectionResetError), connected(proxy) as another:
        ask(another, b"please")


def test_a_server_that_is_away_is_told_to_the_client(proxy: Proxy, echo: Echo) -> None:
    echo.close()
    with pytest.raises(ConnectionResetError), connected(proxy) as client:
        ask(client, b"anybody?")


def test_a_flapping_link_is_cut_and_whole_by_turns(
    client: socket.socket, proxy: Proxy, wait_until: WaitUntil
) -> None:
    proxy.flap(whole=0.1, cut=0.2)
    slow = 0
    for _ in range(4):
        began = monotonic()
        assert ask(client, b"?") == b"?"
        slow += monotonic() - began > 0.05
        threading.Event().wait(0.08)
    assert 1 <= slow <= 3
    proxy.set(PASS)
    for _ in range(20):
        began = monotonic()
        ask(client, b"!")
        assert monotonic() - began < 0.09
