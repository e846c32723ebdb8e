"""Keeps a set of processes running: starts them, starts again those that die, stops them all.

Each child leads a process group of its own, so a Ctrl-C at the terminal reaches the supervisor
alone, and what a child leaves behind can be ended with it. Stopping is systemd's KillMode=mixed:
SIGTERM to the child, and after the grace SIGKILL to its group. A supervisor that is itself killed
takes its children with it (`hashworld.embedded.leash`).
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from hashworld.embedded import leash
from hashworld.embedded.output import PrefixedOutput

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
#: A child that ran this many seconds was well: its next death is treated as its first.
WELL_AFTER = 60.0


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running; `command` is asked anew before every start."""

    name: str
    command: Callable[[], Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """Keeps children running from `start` (or `with`) to `stop`; `grace` is in seconds."""

    def __init__(self, children: Sequence[Child], output: PrefixedOutput, grace: float) -> None:
        self._output = output
        self._grace = grace
        self._lock = threading.RLock()  # `kill` may come from a signal handler
        self._stopping = threading.Event()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        # A leash is tied to the thread that started the child, so that thread stays with it.
        self._keepers = {
            child.name: threading.Thread(
                target=self._keep, args=(child,), name=f"keep {child.name}"
            )
            for child in children
        }

    def start(self) -> None:
        """Start every child; returns at once."""
        for keeper in self._keepers.values():
            keeper.start()

    def stop(self) -> list[str]:
        """Stop every child; the names of those that had to be killed after the grace."""
        with self._lock:
            self._stopping.set()
            for process in self._running.values():
                process.terminate()
        deadline = time.monotonic() + self._grace
        for keeper in self._keepers.values():
            keeper.join(max(0.0, deadline - time.monotonic()))
        stubborn = [name for name, keeper in self._keepers.items() if keeper.is_alive()]
        self.kill()
        for keeper in self._keepers.values():
            keeper.join()
        return stubborn

    def kill(self) -> None:
        """End every child at once; a `stop` that is waiting for them then returns."""
        with self._lock:
            self._stopping.set()
            for process in self._running.values():
                _kill_group(process)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _keep(self, child: Child) -> None:
        delay = FIRST_DELAY
        while process := self._launch(child):
            began = time.monotonic()
            reason = self._attend(child.name, process)
            if self._stopping.is_set():
                return
            if time.monotonic() - began > WELL_AFTER:
                delay = FIRST_DELAY
            self._output.line(child.name, f"{reason}: starting it again in {delay:g} s")
            if self._stopping.wait(delay):
                return
            delay = min(2 * delay, LONGEST_DELAY)

    def _launch(self, child: Child) -> subprocess.Popen[bytes] | None:
        with self._lock:  # no child is born after `stop` has counted them
            if self._stopping.is_set():
                return None
            process = subprocess.Popen(  # noqa: S603 - the commands are our own
                [*_leashed(), *child.command()],
                env={**os.environ, "PYTHONUNBUFFERED": "1", **child.environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
            self._running[child.name] = process
        return process

    def _attend(self, name: str, process: subprocess.Popen[bytes]) -> str:
        """Show what a child says until it is gone; how it ended."""
        assert process.stdout is not None  # noqa: S101 - for the type checker
        # Not read here: a grandchild may hold the pipe open long after the child has died.
        reader = threading.Thread(target=self._output.copy, args=(name, process.stdout))
        reader.start()
        code = process.wait()
        with self._lock:
            _kill_group(process)
            del self._running[name]
        reader.join()
        process.stdout.close()
        return _ending(code)


def _leashed() -> list[str]:
    # Nothing of the environment may reach the leash: -I ignores it, -S saves the start-up time.
    return [sys.executable, "-I", "-S", str(Path(leash.__file__)), str(os.getpid())]


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):  # the whole group is gone already
        os.killpg(process.pid, signal.SIGKILL)


def _ending(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with code {code}"
