"""The processes of a cluster under test: nodes and a scheduler, and what can be done to them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import psutil

from hashworld.embedded import leash
from hashworld.embedded.roles import node_command, scheduler_command
from tests.services.service import comes_true

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
#: Seconds after which a process that died is started again.
RESTART_AFTER = 1.0
SCHEDULER = "scheduler"


class FleetError(Exception):
    """A process did not do what it had to; the message has the end of its log."""


class Program:
    """One process in a group of its own, which dies with whoever started it."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self._log = log
        self._begin = log.stat().st_size if log.exists() else 0
        self.died_at = 0.0
        tied = [sys.executable, "-I", "-S", str(leash.__file__), str(os.getpid())]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*tied, *command],
                cwd=ROOT,
                env={**environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self) -> str:
        """What it wrote since it was started."""
        with self._log.open("rb") as log:
            log.seek(self._begin)
            return log.read().decode(errors="replace")

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def is_frozen(self) -> bool:
        return self.is_alive() and psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    def kill(self) -> None:
        """End it as a crash would."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        """Let it stand still, as a suspended virtual machine does."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end: a node drains."""
        self._signal(signal.SIGTERM)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Its exit code, once it has ended by itself."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise FleetError(f"{self.name} did not end:\n{self.said()[-3000:]}") from error

    def wait_for_line(self, text: str) -> None:
        """Return once it has written `text`."""
        came = comes_true(lambda: text in self.said() or not self.is_alive(), PATIENCE)
        if not came or text not in self.said():
            raise FleetError(f"{self.name} never said {text!r}:\n{self.said()[-3000:]}")

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive():
            os.killpg(self.pid, number)


class Fleet:
    """Nodes and a scheduler of one environment; all are killed when the context ends."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        #: What every process is given.
        self.environment = dict(environment)
        self._programs: dict[str, Program] = {}
        #: The names of processes that were found dead and started again.
        self.restarted: list[str] = []

    @property
    def nodes(self) -> list[Program]:
        return [p for name, p in self._programs.items() if not is_scheduler(name)]

    def __getitem__(self, name: str) -> Program:
        return self._programs[name]

    def start(self, *names: str) -> None:
        """Start nodes, and schedulers, which are named so; nodes are ready on return."""
        for name in names:
            self._programs[name] = self._launch(name)
        for name in names:
            if not is_scheduler(name):
                self._programs[name].wait_for_line("node ready")

    def tend(self) -> None:
        """Start again what has died, after a short while, as a supervisor would."""
        for name, program in list(self._programs.items()):
            if program.is_alive():
                continue
            program.died_at = program.died_at or monotonic()
            if monotonic() > program.died_at + RESTART_AFTER:
                self.restarted.append(name)
                self._programs[name] = self._launch(name)

    def retire(self, name: str) -> None:
        """Forget a process that is meant to stay away."""
        self._programs.pop(name).kill()

    def drain(self, name: str) -> int:
        """Ask a node to stop and let it go; its exit code."""
        program = self._programs.pop(name)
        program.terminate()
        return program.wait()

    def logs(self) -> str:
        """Everything that any process has ever written."""
        return "".join(
            path.read_text(errors="replace") for path in sorted(self._folder.glob("*.log"))
        )

    def stop(self) -> None:
        """Kill whatever runs."""
        for program in self._programs.values():
            program.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _launch(self, name: str) -> Program:
        command = scheduler_command() if is_scheduler(name) else _obedient(node_command(name))
        environment = {**self.environment, "HASHWORLD_NODE_NAME": name}
        return Program(name, command, environment, self._folder / f"{name}.log")


def is_scheduler(name: str) -> bool:
    """Whether a process of this name is a scheduler, of which there may be several."""
    return name.startswith(SCHEDULER)


def _obedient(command: Sequence[str]) -> list[str]:
    """The command of a node, with the application that does as a page says."""
    return ["tests.chaos.app" if word == "hashworld.celery" else word for word in command]
