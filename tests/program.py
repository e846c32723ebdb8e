"""Programs that tests, the chaos run and the benchmarks start, and what can be done to them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from hashworld.embedded import leash
from tests.services.service import comes_true

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 180.0
#: How much of a log an error quotes.
TAIL = 3000


class ProgramFailed(Exception):
    """A program ended or kept silent where it should not; the message has the end of its log."""


class Program:
    """A process in a group of its own, which dies with whoever started it and writes to a log.

    `name` is the log's. The options are those of subprocess.Popen, for other streams.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, **options: Any
    ) -> None:
        self.name = log.stem
        self._log = log
        self._begin = log.stat().st_size if log.exists() else 0
        tied = [sys.executable, "-I", "-S", str(leash.__file__), str(os.getpid())]
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [*tied, *command],
                cwd=ROOT,
                env={**environment, "PYTHONUNBUFFERED": "1"},
                process_group=0,
                **{
                    "stdin": subprocess.DEVNULL,
                    "stdout": stream,
                    "stderr": stream,
                    **options,
                },
            )

    @property
    def pid(self) -> int:
        """The process's id, and its group's."""
        return self.process.pid

    def said(self) -> str:
        """What it wrote since it was started."""
        with self._log.open("rb") as log:
            log.seek(self._begin)
            return log.read().decode(errors="replace")

    def failure(self, reason: str) -> ProgramFailed:
        """The error to raise."""
        return ProgramFailed(f"{self.name} {reason}:\n{self.said()[-TAIL:]}")

    def wait_for_line(self, text: str) -> None:
        """Return once it has written `text`."""
        came = comes_true(lambda: text in self.said() or not self.is_alive(), PATIENCE)
        if not came or text not in self.said():
            raise self.failure(f"never said {text!r}")

    def is_alive(self) -> bool:
        """Whether it has not ended; a frozen one lives."""
        return self.process.poll() is None

    def is_frozen(self) -> bool:
        """Whether it stands still."""
        return self.is_alive() and psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    def kill(self) -> None:
        """End it and all it started as a crash would."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        """Let it stand still, as a suspended virtual machine does; it does on return."""
        self._signal(signal.SIGSTOP)
        comes_true(lambda: self.is_frozen() or not self.is_alive(), PATIENCE)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end: a node drains."""
        if self.is_alive():
            self.process.terminate()

    def wait(self, timeout: float = PATIENCE) -> int:
        """Its exit code, once it has ended by itself."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise self.failure("did not end") from error

    def end(self, grace: float) -> None:
        """Wait for its end, and after `grace` seconds kill it with all it started."""
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive():
            os.killpg(self.pid, number)
