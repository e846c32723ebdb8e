"""scripts/startup.sh against servers that are there, and that know the application's user."""

import os
import signal
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import WaitUntil
from tests.services import Cluster

ROOT = Path(__file__).parents[3]
STARTUP = str(ROOT / "scripts" / "startup.sh")

#: It stops servers that others use, and whoever has stopped one starts all again.
pytestmark = pytest.mark.servers


def address(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def wait_for(url: str, timeout: int = 30, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [STARTUP, "--wait", address(url), "--timeout", str(timeout), "--", "echo", "begun"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ["mariadb", "rabbitmq", "redis"])
def test_a_server_that_answers_the_applications_user_is_waited_for_no_longer(
    services: Cluster, name: str
) -> None:
    ended = wait_for(getattr(services, name).url)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "begun\n", "")


@pytest.mark.parametrize(
    ("name", "kind", "variable", "reason"),
    [
        ("mariadb", "database", "DATABASE_URL", "Access denied"),
        ("rabbitmq", "broker", "CELERY_BROKER_URL", "ACCESS_REFUSED"),
        ("redis", "redis", "REDIS_URL", "invalid username-password"),
    ],
)
def test_an_open_port_is_not_enough_where_the_user_is_not_let_in(
    services: Cluster, name: str, kind: str, variable: str, reason: str
) -> None:
    server = getattr(services, name)
    ended = wait_for(server.url, 1, **{variable: server.url.replace(server.password, "wrong")})
    last = ended.stderr.splitlines()[-1]
    assert (ended.returncode, ended.stdout) == (1, "")
    assert last.startswith(f"startup: {kind} {address(server.url)} did not answer within 1 s: ")
    assert reason.lower() in last.lower()
    assert server.password not in ended.stderr


def test_it_waits_until_a_server_is_back(services: Cluster, wait_until: WaitUntil) -> None:
    services.redis.stop()
    with subprocess.Popen(
        [STARTUP, "--wait", address(services.redis.url), "--", "echo", "begun"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        try:
            assert waiting.stderr
            assert "waiting for redis" in waiting.stderr.readline()
            assert waiting.poll() is None
            services.redis.start()
            assert waiting.communicate(timeout=30)[0] == "begun\n"
        finally:
            waiting.send_signal(signal.SIGKILL)


def test_a_parts_url_in_files_is_used_as_settings_would(services: Cluster, tmp_path: Path) -> None:
    url = urlsplit(services.mariadb.url)
    (tmp_path / "password").write_text(f"{url.password}\n")
    ended = wait_for(
        services.mariadb.url,
        DATABASE_URL="",
        MYSQL_HOST=str(url.hostname),
        MYSQL_PORT=str(url.port),
        MYSQL_PASSWORD_FILE=str(tmp_path / "password"),
    )
    assert (ended.returncode, ended.stdout) == (0, "begun\n")
