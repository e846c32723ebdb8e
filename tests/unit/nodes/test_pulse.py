"""The file that health checks look at."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hashworld.nodes import pulse


@pytest.fixture
def file(settings: Any, tmp_path: Path) -> Path:
    path = tmp_path / "alive"
    settings.ENV = replace(settings.ENV, alive_file=str(path), lease_seconds=15)
    return path


def test_each_show_renews_the_file(file: Path) -> None:
    pulse.show()
    os.utime(file, (0, 0))
    pulse.show(tick_age=1)
    assert file.stat().st_mtime > 0


def test_an_engine_that_stands_still_shows_nothing(file: Path) -> None:
    pulse.show(tick_age=15)
    assert not file.exists()


def test_without_a_file_nothing_is_shown(settings: Any) -> None:
    settings.ENV = replace(settings.ENV, alive_file="")
    pulse.show()
