"""Programs that a benchmark runs: servers, which it stops, and entrants, which it starts by a word.

An entrant (see `benchmarks.entrant`) says when it is ready, begins when told to, and ends with its
figures, so that nobody's start-up time is measured.
"""

import json
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.program import ROOT, Program, ProgramFailed

GRACE = 10.0
#: Runs a module's `main` with Django set up, which importing models asks for.
_WITH_DJANGO = (
    "import django, importlib, sys; django.setup();"
    " importlib.import_module(sys.argv.pop(1)).main(sys.argv[1:])"
)


class Entrant(Program):
    """A program that waits for the word."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        patience: float,
    ) -> None:
        super().__init__(
            command, environment, log, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._patience = patience

    def wait_until_ready(self) -> None:
        """Return once it is at the start."""
        if self._answer() != "ready":
            raise self.failure("did not get ready")

    def go(self) -> None:
        """Give the word."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def figures(self) -> dict[str, float]:
        """Wait for what it measured."""
        try:
            figures: dict[str, float] = json.loads(self._answer())
        except ValueError as error:
            raise self.failure("gave no figures") from error
        return figures

    def _answer(self) -> str:
        assert self.process.stdout is not None
        # Not by select(), which knows no descriptor above 1023: a site of many addresses has more.
        answers = select.poll()
        answers.register(self.process.stdout, select.POLLIN)
        if not answers.poll(self._patience * 1000):
            raise self.failure(f"gave no answer in {self._patience:g} s")
        return str(self.process.stdout.readline()).rstrip("\n")


class Programs:
    """Programs that are stopped together, the last started first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Program] = []

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Program:
        """Start a program that runs until all are stopped."""
        program = Program(command, environment, self._folder / f"{name}.log")
        self._running.append(program)
        return program

    def enter(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        patience: float = 120.0,
    ) -> Entrant:
        """Start an entrant; it is ready on return. Its silence is borne for `patience` seconds."""
        entrant = Entrant(command, environment, self._folder / f"{name}.log", patience)
        self._running.append(entrant)
        entrant.wait_until_ready()
        return entrant

    def stop(self, *programs: Program) -> None:
        """Stop these programs."""
        for program in programs:
            program.terminate()
        for program in programs:
            program.end(GRACE)
            self._running.remove(program)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A second Ctrl-C must leave nothing behind.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.stop(*reversed(self._running))
        signal.signal(signal.SIGINT, before)


def with_django(module: str, *arguments: str) -> list[str]:
    """The command that runs `module.main(arguments)` with Django set up."""
    return [sys.executable, "-c", _WITH_DJANGO, module, *arguments]


def run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a command to its end; raises ProgramFailed with its output when it fails."""
    done = subprocess.run(
        command, env=dict(environment), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ProgramFailed(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
