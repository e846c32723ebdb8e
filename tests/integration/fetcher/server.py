"""A server that does exactly what a test tells it to, byte by byte, and keeps a record."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator

Behaviour = Callable[["Exchange"], None]


class Exchange:
    """One request as the server sees it: what came, and the socket to answer on."""

    def __init__(self, server: "Server", sock: socket.socket, head: bytes, body: bytes) -> None:
        self.server = server
        self.sock = sock
        self.head = head
        self.body = body
        self.path = head.split(b" ", 2)[1].decode("latin-1") if head.count(b" ") > 1 else ""
        self.keep_alive = False

    def send(self, *parts: bytes) -> None:
        self.sock.sendall(b"".join(parts))

    def respond(self, body: bytes = b"", status: int = 200, *fields: str) -> None:
        """A well-formed response; the connection stays open."""
        # Before the last byte: the client may start its next request as soon as it has that.
        self.server.leave(self)
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *fields, "", ""]
        self.send("\r\n".join(lines).encode(), body)
        self.keep_alive = True

    def hang(self) -> None:
        """Keep the connection open and silent until the server closes."""
        self.server.closing.wait()

    def repeat(self, part: bytes) -> None:
        """Send `part` for ever."""
        while not self.server.closing.is_set():
            self.sock.sendall(part)

    def reset(self) -> None:
        """Break the connection off with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Server:
    """Answers each request by `behave`, a thread for each connection."""

    def __init__(
        self,
        behave: Behaviour,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.behave = behave
        self.host = host
        self.tls = tls
        self.closing = threading.Event()
        self.connections = 0
        self.requests: list[bytes] = []
        self.starts: list[float] = []
        self.most_at_once = 0
        self._under_way: set[Exchange] = set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((host, 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path: str = "/", host: str | None = None) -> str:
        return f"http{'s' if self.tls else ''}://{host or self.host}:{self.port}{path}"

    def close(self) -> None:
        self.closing.set()
        # Shutting down first wakes the thread in accept(); closing alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                sock.close()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        plain = sock
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            for head, body in _messages(sock):
                if not self._answer(sock, head, body):
                    return
        except OSError:
            return  # the client went away, which is what many a test is about
        finally:
            sock.close()
            with self._lock:
                self._open.discard(plain)

    def leave(self, exchange: Exchange) -> None:
        """The exchange is no longer under way."""
        with self._lock:
            self._under_way.discard(exchange)

    def _answer(self, sock: socket.socket, head: bytes, body: bytes) -> bool:
        exchange = Exchange(self, sock, head, body)
        with self._lock:
            self.requests.append(head)
            self.starts.append(time.monotonic())
            self._under_way.add(exchange)
            self.most_at_once = max(self.most_at_once, len(self._under_way))
        try:
            self.behave(exchange)
        finally:
            self.leave(exchange)
        return exchange.keep_alive


def _messages(sock: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    reader = sock.makefile("rb")
    while True:
        lines = list(iter(lambda: reader.readline().rstrip(b"\r\n"), b""))
        if not lines:
            return
        length = next((int(each[15:]) for each in lines if each.startswith(b"Content-Length:")), 0)
        yield b"\n".join(lines), reader.read(length)
