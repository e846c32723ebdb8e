"""scripts/health.py: whether the process of a container does its work."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hashworld.embedded import roles
from scripts import health
from tests.services.service import free_port


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        secure = self.headers["X-Forwarded-Proto"] == "https"
        self.send_response(200 if secure and self.path == "/healthz" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_server_that_answers_is_well(server: int) -> None:
    assert health.silence(server, "/healthz", 200) == ""


def test_another_answer_is_not_enough(server: int) -> None:
    assert health.silence(server, "/elsewhere", 200) == "/elsewhere answered 503"


def test_a_server_that_is_not_there_is_not_well() -> None:
    assert "no answer from port" in health.silence(free_port(), "/healthz", 200)
    assert "no answer from port" in health.deafness(free_port())


def test_a_port_that_listens_is_heard(server: int) -> None:
    assert health.deafness(server) == ""


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
        (["python", "-m", "celery", "-A", "hashworld.celery", "flower"], 5555),
        (["python", "-m", "chatroom"], 8765),
    ],
)
def test_a_server_is_asked_at_the_port_of_its_role(
    command: list[str], port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "silence", lambda asked, *_: f"asked {asked}")
    assert health.failure(command, tmp_path, 0) == f"asked {port}"


def test_any_other_command_is_well_while_it_runs(tmp_path: Path) -> None:
    assert health.failure(["sleep", "60"], tmp_path, 0) == ""
