"""scripts/health.py: whether the process of a container does its work."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import grpc
import pytest
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from hashworld.embedded import roles
from scripts import health
from tests.services.service import free_port


class Answer(BaseHTTPRequestHandler):
    """Knows one name, speaks to HTTPS only, and is well at some paths."""

    well: ClassVar[set[str]] = set()
    name = "fetch.example.org"

    def do_GET(self) -> None:
        secure = self.headers["X-Forwarded-Proto"] == "https"
        known = secure and self.headers["Host"] == self.name
        self.send_response((200 if self.path in self.well else 503) if known else 400)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setenv("DJANGO_ALLOWED_HOSTS", f".{Answer.name},localhost")
    monkeypatch.setattr(Answer, "well", {"/healthz"})
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_server_that_answers_is_well(server: int) -> None:
    assert health.silence(server, "/healthz") == ""


def test_another_answer_is_not_enough(server: int) -> None:
    assert health.silence(server, "/elsewhere") == "/elsewhere answered 503"


def test_a_server_that_is_not_there_is_not_well() -> None:
    assert "no answer from port" in health.silence(free_port(), "/healthz")
    assert "no answer from port" in health.deafness(free_port())
    assert "no answer from port" in health.muteness(free_port())


@pytest.mark.parametrize("hosts", ["", "*", "*,fetch.example.org"])
def test_where_any_name_goes_it_is_asked_by_the_machines(
    hosts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_ALLOWED_HOSTS", hosts)
    assert health.known_name() == "localhost"


def test_web_has_to_be_ready_once_and_then_to_live(
    server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new version that cannot serve is not let in; a database that goes away replaces nobody."""
    marker = tmp_path / "alive"
    assert health.unreadiness(server, marker) == "/readyz answered 503"
    monkeypatch.setattr(Answer, "well", {"/healthz", "/readyz"})
    assert health.unreadiness(server, marker) == ""
    monkeypatch.setattr(Answer, "well", {"/healthz"})
    assert health.unreadiness(server, marker) == ""
    monkeypatch.setattr(Answer, "well", {"/readyz"})
    assert health.unreadiness(server, marker) == "/healthz answered 503"


@pytest.fixture
def calls() -> Iterator[tuple[int, HealthServicer]]:
    """A remote door that says how it is, and its port."""
    server, servicer = grpc.server(ThreadPoolExecutor(1)), HealthServicer()
    add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port, servicer
    server.stop(0).wait()


def test_the_remote_door_is_asked_whether_it_serves(calls: tuple[int, HealthServicer]) -> None:
    port, servicer = calls
    servicer.set("", HealthCheckResponse.SERVING)
    assert health.muteness(port) == ""
    servicer.set("", HealthCheckResponse.NOT_SERVING)
    assert health.muteness(port) == f"port {port} does not serve"


def test_where_it_may_want_a_certificate_its_port_is_enough(
    calls: tuple[int, HealthServicer], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, servicer = calls
    servicer.set("", HealthCheckResponse.NOT_SERVING)
    monkeypatch.setenv("HASHWORLD_RPC_TLS_CERT", "/certificate.pem")
    assert health.muteness(port) == ""


@pytest.mark.parametrize("command", [roles.node_command("worker"), roles.scheduler_command()])
def test_a_node_or_scheduler_has_to_have_been_at_work_lately(
    command: list[str], tmp_path: Path
) -> None:
    alive = tmp_path / "alive"
    assert health.failure(command, alive, 100) == "not at work yet"
    alive.touch()
    os.utime(alive, (100, 100))
    assert health.failure(command, alive, 119) == ""
    assert health.failure(command, alive, 121) == "last at work 21 s ago"


@pytest.mark.parametrize("role", ["web", "worker", "scheduler", "flower", "chatroom", "rpc"])
def test_a_role_that_still_waits_is_not_well(role: str, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    alive.touch()
    command = ["bash", "/opt/hashworld/scripts/startup.sh", "--wait", "mysql:3306", "--", role]
    assert health.failure(command, alive, alive.stat().st_mtime) == "waits for what it needs"


@pytest.mark.parametrize(
    ("command", "port"),
    [
        (["python", "-m", "gunicorn", "--config", "/x/gunicorn.py", "hashworld.wsgi"], 8000),
        (["python", "/opt/hashworld/src/manage.py", "rpcserver"], 6666),
        (["python", "-m", "celery", "-A", "hashworld.celery", "flower"], 5555),
        (["python", "-m", "chatroom"], 8765),
    ],
)
def test_a_server_is_asked_at_the_port_of_its_role(
    command: list[str], port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ask in ("silence", "muteness"):
        monkeypatch.setattr(health, ask, lambda asked, *_: f"asked {asked}")
    assert health.failure(command, tmp_path, 0) == f"asked {port}"


def test_any_other_command_is_well_while_it_runs(tmp_path: Path) -> None:
    assert health.failure(["sleep", "60"], tmp_path, 0) == ""
