"""Pages for the workers, in a container beside them."""

from types import TracebackType
from typing import Self
from uuid import uuid4

from tests.deploy.command import run

SITE = """
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"page {self.path} ".encode() * 20
        time.sleep(0.05)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()
    def log_message(self, *_):
        pass
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


class Site:
    """Pages for the workers, in a container."""

    def __init__(self, network: str, name: str, image: str) -> None:
        self.name = name
        self._run = ["docker", "run", "-d", "--rm", "--name", name, "--network", network]
        self._run += ["--entrypoint", "python", image, "-c", SITE]
        self._remove = ["docker", "rm", "-f", name]

    def urls(self, number: int, mark: str = "") -> list[str]:
        """So many addresses, all different."""
        mark = mark or uuid4().hex[:8]
        return [f"http://{self.name}:8000/{mark}/{each}" for each in range(number)]

    def __enter__(self) -> Self:
        run(*self._run)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        run(*self._remove)
