"""scripts/startup.sh: its arguments, and what it becomes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hashworld.embedded import roles
from tests.services.service import comes_true, free_port

ROOT = Path(__file__).parents[3]
STARTUP = ROOT / "scripts" / "startup.sh"


def startup(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(STARTUP), *arguments],
        env={**os.environ, "HASHWORLD_PYTHON": sys.executable, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def recorder(tmp_path: Path) -> Mapping[str, str]:
    """A Python that only tells how it was called."""
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    return {"HASHWORLD_PYTHON": str(fake)}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "ROLE is missing"),
        (["--wait"], "--wait: HOST:PORT is missing"),
        (["--wait", "mysql", "--", "web"], "--wait: 'mysql' is not HOST:PORT"),
        (["--wait", "mysql:3306", "web"], "--wait: 'web' is not HOST:PORT (put -- before"),
        (["--wait", "mysql:3306"], "ROLE is missing"),
        (["--timeout", "soon", "web"], "--timeout: 'soon' is not a number of seconds"),
        (["--timeout", "0", "web"], "--timeout: '0' is not a number of seconds"),
        (["--timeout"], "--timeout: '' is not a number of seconds"),
        (["--hurry", "web"], "--hurry: there is no such option"),
        (["webb"], "'webb' is neither a role nor a command"),
    ],
)
def test_wrong_input_is_told_with_the_usage_and_starts_nothing(
    arguments: list[str], told: str
) -> None:
    ended = startup(*arguments)
    assert ended.returncode == 2
    assert ended.stdout == ""
    first, *usage = ended.stderr.splitlines()
    assert told in first
    assert usage[0].startswith("usage: startup.sh")


def test_any_command_runs_with_its_arguments_as_they_are() -> None:
    ended = startup("printf", "<%s>", "a b", "$HOME", "--wait")
    assert (ended.returncode, ended.stdout) == (0, "<a b><$HOME><--wait>")


def test_the_process_is_replaced_so_that_signals_reach_it() -> None:
    with subprocess.Popen(
        [str(STARTUP), "--", "sh", "-c", "echo $$; exec sleep 60"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert int(process.stdout.readline()) == process.pid
        process.terminate()
        assert process.wait(10) == -signal.SIGTERM


def test_it_goes_on_once_an_address_accepts_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        ended = startup("--wait", address, "--timeout", "5", "--", "echo", "begun")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "begun\n", "")


def test_an_address_that_stays_silent_is_named_in_one_line_and_starts_nothing() -> None:
    address = f"127.0.0.1:{free_port()}"
    ended = startup("--wait", address, "--timeout", "1", "--", "echo", "begun")
    assert (ended.returncode, ended.stdout) == (1, "")
    waiting, failed = ended.stderr.splitlines()
    assert waiting.startswith(f"startup: waiting for server {address}: ")
    assert failed.startswith(f"startup: server {address} did not answer within 1 s: ")


def test_a_password_file_that_cannot_be_read_is_told_at_once() -> None:
    ended = startup(
        *("--wait", "127.0.0.1:1", "--timeout", "60", "--", "true"),
        MYSQL_HOST="127.0.0.1",
        MYSQL_PASSWORD_FILE="/nonexistent",
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        "startup: MYSQL_PASSWORD_FILE: /nonexistent cannot be read: No such file or directory\n"
    )


def test_a_broken_url_is_told_without_its_password() -> None:
    ended = startup(
        *("--wait", "127.0.0.1:1", "--", "true"), CELERY_BROKER_URL="amqp://u:secret@rabbit:port/"
    )
    assert ended.returncode == 2
    assert "CELERY_BROKER_URL" in ended.stderr
    assert "secret" not in ended.stderr


def arguments(role: str, recorder: Mapping[str, str], **environment: str) -> list[str]:
    return startup(role, "--more", **recorder, **environment).stdout.splitlines()


def test_a_worker_is_started_as_on_one_machine(recorder: Mapping[str, str]) -> None:
    *command, more = arguments("worker", recorder)
    assert command == roles.node_command("worker")[1:]
    assert more == "--more"


def test_a_scheduler_is_started_as_on_one_machine(recorder: Mapping[str, str]) -> None:
    assert arguments("scheduler", recorder) == [*roles.scheduler_command()[1:], "--more"]


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("web", ["-m", "gunicorn", "--config", f"{ROOT}/config/gunicorn.py", "hashworld.wsgi"]),
        ("migrate", [f"{ROOT}/src/manage.py", "prepare"]),
        ("shell", [f"{ROOT}/src/manage.py", "shell"]),
        ("rpc", [f"{ROOT}/src/manage.py", "rpcserver"]),
        ("chatroom", ["-m", "chatroom"]),
    ],
)
def test_each_role_is_one_process(recorder: Mapping[str, str], role: str, words: list[str]) -> None:
    assert arguments(role, recorder) == [*words, "--more"]


def test_migrations_come_before_the_role(recorder: Mapping[str, str]) -> None:
    ended = startup("--migrate", "--", "echo", "begun", **recorder)
    assert ended.stdout.splitlines() == [f"{ROOT}/src/manage.py", "prepare", "begun"]


def test_a_migration_that_fails_starts_nothing() -> None:
    ended = startup("--migrate", "--", "echo", "begun", HASHWORLD_PYTHON="/bin/false")
    assert (ended.returncode, ended.stdout) == (1, "")


@pytest.mark.parametrize(("code", "times"), [(3, 2), (1, 1)])
def test_a_migration_is_tried_again_only_where_the_database_went_away(
    tmp_path: Path, code: int, times: int
) -> None:
    fake, asked = tmp_path / "python", tmp_path / "asked"
    fake.write_text(
        f'#!/bin/sh\necho "$@" >>{asked}\n[ "$(wc -l <{asked})" = 1 ] && exit {code}\nexit 0\n'
    )
    fake.chmod(0o755)
    ended = startup("--migrate", "--", "echo", "begun", HASHWORLD_PYTHON=str(fake))
    assert len(asked.read_text().splitlines()) == times
    assert (ended.returncode, ended.stdout) == ((0, "begun\n") if times > 1 else (code, ""))


def test_a_migration_is_tried_no_longer_than_there_is_time(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexit 3\n")
    fake.chmod(0o755)
    options = ("--migrate", "--timeout", "1", "--", "echo", "begun")
    ended = startup(*options, HASHWORLD_PYTHON=str(fake))
    assert (ended.returncode, ended.stdout) == (3, "")


@pytest.fixture
def migrating(tmp_path: Path) -> Callable[[int], Mapping[str, str]]:
    """A Python that finds the database migrated when it is asked for the so-manieth time."""

    def made(times: int) -> Mapping[str, str]:
        fake = tmp_path / "python"
        asked = tmp_path / "asked"
        fake.write_text(f'#!/bin/sh\necho "$@" >>{asked}\n[ "$(wc -l <{asked})" -ge {times} ]\n')
        fake.chmod(0o755)
        return {"HASHWORLD_PYTHON": str(fake)}

    return made


def test_a_role_begins_once_another_has_migrated(
    migrating: Callable[[int], Mapping[str, str]], tmp_path: Path
) -> None:
    ended = startup("--migrated", "--timeout", "30", "--", "echo", "begun", **migrating(2))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "begun\n", "")
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [f"{ROOT}/src/manage.py migrate --check"] * 2


def test_a_migration_that_does_not_come_is_told_in_one_line_and_starts_nothing(
    migrating: Callable[[int], Mapping[str, str]],
) -> None:
    ended = startup("--migrated", "--timeout", "1", "--", "echo", "begun", **migrating(99))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "startup: the database was not migrated within 1 s\n"


def stopped(number: signal.Signals, tmp_path: Path, *options: str) -> int:
    """The code of a start-up that gets a signal while what it runs, which hangs, has begun."""
    fake = tmp_path / "python"
    fake.write_text(
        f"#!/bin/sh\necho $$ >{tmp_path}/draft\nmv {tmp_path}/draft {tmp_path}/pid\nexec sleep 60\n"
    )
    fake.chmod(0o755)
    with subprocess.Popen(
        [str(STARTUP), *options, "--", "echo", "begun"],
        env={**os.environ, "HASHWORLD_PYTHON": str(fake)},
        # Who ignores a signal when he starts a shell makes it deaf to it.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as process:
        assert comes_true((tmp_path / "pid").exists, 10)
        process.send_signal(number)
        return process.wait(10)


@pytest.mark.parametrize(
    "options",
    [("--wait", "127.0.0.1:1"), ("--migrate",), ("--migrated",)],
    ids=lambda each: each[0],
)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_what_it_runs_before_the_role(
    number: signal.Signals, code: int, options: tuple[str, ...], tmp_path: Path
) -> None:
    """Left to itself a shell would die without its child, or, as process 1, not at all."""
    assert stopped(number, tmp_path, *options) == code
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
