from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hashworld.nodes import identity


@pytest.fixture
def unnamed(settings: Any, tmp_path: Path) -> Path:
    """An empty data folder, and no name in the environment."""
    settings.DATA_DIR = tmp_path
    settings.ENV = replace(settings.ENV, node_name="")
    return tmp_path


def test_the_environment_names_the_node(settings: Any, unnamed: Path) -> None:
    settings.ENV = replace(settings.ENV, node_name="rack-7")
    assert identity.name() == "rack-7"
    assert list(unnamed.iterdir()) == []


def test_a_name_is_made_once_and_kept(unnamed: Path) -> None:
    name = identity.name()
    assert identity.name() == name
    assert (unnamed / "node-name").read_text() == name


@pytest.mark.parametrize(
    ("host", "begin"), [("Web.Example.COM", "web-example-com-"), ("日本", "-"), ("", "node-")]
)
def test_a_made_name_is_fit_for_queues_and_files(
    unnamed: Path, monkeypatch: pytest.MonkeyPatch, host: str, begin: str
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert identity.name().startswith(begin)
    assert identity.name().isascii()


def test_two_folders_on_one_machine_have_two_names(unnamed: Path, settings: Any) -> None:
    first = identity.name()
    settings.DATA_DIR = unnamed / "other"
    settings.DATA_DIR.mkdir()
    assert identity.name() != first


def test_every_start_is_a_new_incarnation() -> None:
    assert len({identity.incarnation() for _ in range(100)}) == 100
