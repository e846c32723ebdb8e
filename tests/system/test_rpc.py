"""The remote door as a process of its own: it opens, serves, drains and ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hashworld.api import communicate_pb2 as pb
from hashworld.api.communicate_pb2_grpc import TasksStub
from hashworld.embedded import demo, ports
from tests.conftest import Footing, WaitUntil

MANAGE = [sys.executable, str(Path(__file__).parents[2] / "src" / "manage.py")]
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(autouse=True)
def embedded(footing: Footing) -> None:
    if footing != "embedded":
        pytest.skip("has a SQLite file of its own on either footing")


def test_the_door_opens_serves_and_closes(tmp_path: Path, wait_until: WaitUntil) -> None:
    environment = demo.environment(os.environ, tmp_path / "data", with_site=False)
    environment.pop("HASHWORLD_RPC_BIND", None)

    def manage(*words: str, **more: str) -> str:
        done = subprocess.run(
            [*MANAGE, *words], env=environment | more, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    manage("migrate", "--verbosity", "0")
    manage(
        "createsuperuser",
        "--noinput",
        "--username",
        "root",
        "--email",
        "root@example.com",
        DJANGO_SUPERUSER_PASSWORD="correct horse",
    )
    words = ("token", "issue", "system test", "--scope", "submit", "--scope", "read")
    secret = manage(*words)
    bind = f"127.0.0.1:{ports.find_free()}"
    log = tmp_path / "rpc.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*MANAGE, "rpcserver", "--bind", bind], env=environment, stdout=output, stderr=output
        )
    try:
        with grpc.insecure_channel(bind) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            answer = check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=180)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            metadata = [("authorization", f"Bearer {secret}")]
            tasks = TasksStub(channel)
            made = tasks.CreateTask(
                pb.Task(id="one", target="https://a.example/"), metadata=metadata, timeout=30
            )
            assert dict(made.succeed) == {"one": True}
            stream = tasks.WatchTasks(pb.Watch(id=["one"]), metadata=metadata, timeout=180)
            assert next(stream).task.state == pb.Task.WAITING
            server.send_signal(signal.SIGTERM)
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert server.wait(120) == 0
        assert "remote door closes" in log.read_text()
        taken = subprocess.run(
            [*MANAGE, "rpcserver", "--bind", "nonsense"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert taken.returncode == 1
        assert "cannot be listened on" in taken.stderr
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
