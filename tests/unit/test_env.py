"""The environment: what holds without it, where secrets may come from, how mistakes are told."""

import os
import re
from pathlib import Path

import pytest

from hashworld import env
from hashworld.env import PROJECT_ROOT, EnvironmentInvalid
from tests.environment import OURS, SERVERS

EXAMPLE = (PROJECT_ROOT / ".env.example").read_text()
BLOCK = re.compile(r"# ([A-Z].*\.)\n([A-Z_]+)=(.*)")


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of HashWorld is set."""
    for name in list(os.environ):
        if name.startswith((*OURS, *SERVERS)):
            monkeypatch.delenv(name)


@pytest.fixture
def mistakes(monkeypatch: pytest.MonkeyPatch) -> "Mistakes":
    return Mistakes(monkeypatch)


class Mistakes:
    """What is said of an environment with these variables."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, **variables: str) -> str:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        with pytest.raises(EnvironmentInvalid) as caught:
            env.read()
        return str(caught.value)


def test_without_any_variable_all_of_it_runs_on_one_machine() -> None:
    found = env.read()
    assert found.data_dir == PROJECT_ROOT / "data"
    assert found.database_url == f"sqlite:///{found.data_dir}/hashworld.sqlite3"
    assert found.broker_url == f"hashworld:///{found.data_dir}/broker.sqlite3"
    assert (found.redis_url, found.secret_key, found.debug) == ("", "", False)
    assert (found.heartbeat_seconds, found.lease_seconds, found.max_tasks) == (5, 15, 512)
    assert found.fetch_allow_networks == []
    assert found.fetch_ports == [80, 443, 8080, 8443]
    for bind in (found.web_bind, found.rpc_bind, found.chat_bind):
        assert bind.startswith("127.0.0.1:")


def test_everything_on_disk_follows_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHWORLD_DATA_DIR", "here")
    found = env.read()
    assert found.data_dir == Path.cwd() / "here"
    assert str(found.data_dir) in found.database_url
    assert str(found.data_dir) in found.broker_url


def test_the_parts_of_the_database_make_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_HOST", "db")
    monkeypatch.setenv("MYSQL_PASSWORD", "p@ss/w:rd")
    assert env.read().database_url == "mysql://hashworld:p%40ss%2Fw%3Ard@db:3306/hashworld"
    monkeypatch.setenv("DATABASE_URL", "sqlite:////tmp/x")
    assert env.read().database_url == "sqlite:////tmp/x"


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHWORLD_FETCH_PORTS", "80, 8000")
    monkeypatch.setenv("HASHWORLD_FETCH_ALLOW_NETWORKS", "10.0.0.0/8,192.168.0.0/16")
    found = env.read()
    assert found.fetch_ports == [80, 8000]
    assert found.fetch_allow_networks == ["10.0.0.0/8", "192.168.0.0/16"]


def test_a_value_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    monkeypatch.setenv("DJANGO_SECRET_KEY_FILE", str(secret))
    monkeypatch.setenv("MYSQL_HOST", "db")
    monkeypatch.setenv("MYSQL_PASSWORD_FILE", str(secret))
    assert env.read().secret_key == "s3cret"
    assert "hashworld:s3cret@db" in env.read().database_url


def test_a_file_that_cannot_be_read_is_told(mistakes: Mistakes, tmp_path: Path) -> None:
    assert "DJANGO_SECRET_KEY_FILE" in mistakes(DJANGO_SECRET_KEY_FILE=str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DJANGO_DEBUG", "maybe"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("HASHWORLD_MAX_TASKS", "0"),
        ("HASHWORLD_MAX_TASKS", "many"),
        ("HASHWORLD_MAX_TASKS", "10001"),
        ("HASHWORLD_DRAIN_SECONDS", "-1"),
        ("HASHWORLD_HEARTBEAT_SECONDS", "0"),
        ("HASHWORLD_LEASE_SECONDS", "nan"),
        ("HASHWORLD_CONTENT_STORE", "attic"),
        ("HASHWORLD_KEEP_DAYS", "-1"),
        ("HASHWORLD_KEEP_DAYS", "36501"),
        ("HASHWORLD_KEEP_JOBS", "-1"),
        ("HASHWORLD_KEEP_BYTES", "10GB"),
        ("HASHWORLD_HOST_MAX_CONNECTIONS", "0"),
        ("HASHWORLD_HOST_MIN_INTERVAL", "-0.1"),
        ("HASHWORLD_NODE_NAME", "../one"),
        ("HASHWORLD_NODE_NAME", "n" * 65),
        ("HASHWORLD_FETCH_PORTS", "80,http"),
        ("MYSQL_PORT", "x"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_by_its_name(
    mistakes: Mistakes, name: str, value: str
) -> None:
    told = mistakes(**{name: value}).strip().splitlines()
    assert len(told) == 1
    assert re.match(rf" *{name}: .*\.$", told[0])


def test_all_mistakes_are_told_at_once(mistakes: Mistakes) -> None:
    told = mistakes(LOG_LEVEL="loud", HASHWORLD_MAX_TASKS="many", DJANGO_DEBUG="maybe")
    assert {line.split(":")[0].strip() for line in told.strip().splitlines()} == {
        "LOG_LEVEL",
        "HASHWORLD_MAX_TASKS",
        "DJANGO_DEBUG",
    }


def test_the_example_says_what_holds_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    without = env.read()
    for _, name, value in BLOCK.findall(EXAMPLE):
        if value:
            monkeypatch.setenv(name, value)
    assert env.read() == without


def test_the_example_has_a_sentence_for_each_variable() -> None:
    variables = [line for line in EXAMPLE.splitlines() if re.match("[A-Z_]+=", line)]
    assert len(BLOCK.findall(EXAMPLE)) == len(variables)
