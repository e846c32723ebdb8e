import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hashworld.embedded.broker import Broker
from hashworld.embedded.broker.owners import Owner

Hold = Callable[[float], "subprocess.Popen[str]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.sqlite3"


@pytest.fixture
def broker(path: Path) -> Broker:
    """A broker with one queue, "work"."""
    broker = Broker(path)
    broker.queues.declare("work", now=time.monotonic())
    return broker


@pytest.fixture
def owner(broker: Broker) -> Owner:
    return broker.owners.open(lease=30, now=time.monotonic())


@pytest.fixture
def hold(path: Path) -> Iterator[Hold]:
    """Start a process that holds a message of "work" (see holder.py)."""
    holders: list[subprocess.Popen[str]] = []

    def start(lease: float) -> "subprocess.Popen[str]":
        command = [sys.executable, str(Path(__file__).with_name("holder.py")), path, str(lease)]
        holder = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        holders.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "READY\n"
        return holder

    yield start
    for holder in holders:
        holder.kill()
        holder.communicate()
