import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from hashworld.nodes import identity


@pytest.fixture
def unnamed(settings: Any, tmp_path: Path) -> Path:
    """An empty data folder, and no name in the environment."""
    settings.DATA_DIR = tmp_path
    settings.ENV = replace(settings.ENV, node_name="", node_number=0)
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


def test_whoever_is_slower_to_make_a_name_takes_the_fasters(
    unnamed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = identity._draft

    def be_overtaken(path: Path) -> Path:
        path.write_text("faster")
        return draft(path)

    monkeypatch.setattr(identity, "_draft", be_overtaken)
    assert identity.name() == "faster"
    assert [path.name for path in unnamed.iterdir()] == ["node-name"]


def test_processes_that_ask_together_for_a_name_get_the_same(unnamed: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        names = {*pool.map(identity.name_of, [0] * 64)}
    assert names == {identity.name()}
    assert [path.name for path in unnamed.iterdir()] == ["node-name"]


def test_the_nodes_of_one_machine_are_numbered(settings: Any, unnamed: Path) -> None:
    base = identity.name()
    settings.ENV = replace(settings.ENV, node_number=2)
    assert identity.name() == f"{base}-2"
    settings.ENV = replace(settings.ENV, node_name="rack-7")
    assert identity.name() == "rack-7-2"


def test_a_new_name_is_kept_and_is_the_numbers_own(settings: Any, unnamed: Path) -> None:
    base = identity.name()
    settings.ENV = replace(settings.ENV, node_number=2)
    fresh = identity.rename()
    assert identity.name() == fresh != f"{base}-2"
    assert identity.name_of(0) == base
    assert identity.name_of(1) == f"{base}-1"


def test_the_only_nodes_new_name_replaces_the_old_one(unnamed: Path) -> None:
    old = identity.name()
    assert identity.rename() == identity.name() != old
    assert len(list(unnamed.iterdir())) == 1


def test_a_process_that_has_ended_is_gone_and_one_that_runs_is_not() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert not identity.is_gone(identity.boot_id(), child.pid)
        child.kill()
        child.wait()
    assert identity.is_gone(identity.boot_id(), child.pid)


def test_a_process_whose_end_nobody_has_noticed_yet_is_gone(wait_until: Any) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert identity.is_gone(identity.boot_id(), child.pid)
    child.wait()


def test_whoever_had_this_processs_pid_is_gone() -> None:
    assert identity.is_gone(identity.boot_id(), os.getpid())


def test_a_pid_of_another_machine_or_boot_means_nothing_here() -> None:
    assert not identity.is_gone("another boot", os.getpid())


def test_the_processes_of_one_boot_agree_on_it_even_where_the_kernel_has_no_name_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert len(identity.boot_id()) <= 64
    identity.boot_id.cache_clear()
    monkeypatch.setattr(identity, "_BOOT_ID", tmp_path / "missing")
    without = identity.boot_id()
    identity.boot_id.cache_clear()
    assert identity.boot_id() == without
    assert len(without) <= 64
    identity.boot_id.cache_clear()


def test_every_start_is_a_new_incarnation() -> None:
    assert len({identity.incarnation() for _ in range(100)}) == 100
