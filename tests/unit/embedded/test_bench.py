"""The command that hands over to the benchmarks."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from hashworld.embedded.management.commands import bench


class HandedOver(Exception):
    """Stands for the process that this one becomes."""


@pytest.fixture(autouse=True)
def _stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def execv(path: str, arguments: list[str]) -> None:
        raise HandedOver(Path.cwd(), path, *arguments)

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.chdir(Path.cwd())


@pytest.mark.parametrize(
    ("given", "module"), [([], "benchmarks"), (["submit"], "benchmarks.submit")]
)
def test_it_becomes_the_benchmarks_of_the_source_tree(given: list[str], module: str) -> None:
    with pytest.raises(HandedOver) as became:
        call_command("bench", *given)
    assert became.value.args == (bench.PROJECT_ROOT, sys.executable, sys.executable, "-m", module)


@pytest.mark.parametrize("part", bench.PARTS)
def test_every_part_is_a_script(part: str) -> None:
    assert (bench.PROJECT_ROOT / "benchmarks" / f"{part}.py").is_file()


def test_it_says_what_to_do_where_there_is_no_source_tree(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "PROJECT_ROOT", tmp_path)
    with pytest.raises(CommandError, match="clone its repository and run `make bench`"):
        call_command("bench")


def test_it_says_what_to_do_where_the_peers_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> Any:
        return None if name == "scrapy" else object()

    monkeypatch.setattr(bench, "find_spec", find_spec)
    with pytest.raises(CommandError, match=r"\(scrapy\): run `make bench`"):
        call_command("bench")
