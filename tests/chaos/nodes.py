"""The processes of a cluster under test: nodes and schedulers, and who tends them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Self

from hashworld.embedded.roles import node_command, scheduler_command
from tests.chaos.network import Network
from tests.program import Program

#: Seconds after which a process that died is started again.
RESTART_AFTER = 1.0
#: What the names of schedulers begin with.
SCHEDULER = "scheduler"
READY = "node ready"


class Fleet:
    """Nodes and schedulers of one environment; all are killed when the context ends.

    With a network, every process reaches the servers over links of its own.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], network: Network | None = None
    ) -> None:
        self._folder = folder
        #: What every process is given.
        self.environment = dict(environment)
        self._network = network
        self._programs: dict[str, Program] = {}
        self._extra: dict[str, Mapping[str, str]] = {}
        self._died_at: dict[str, float] = {}
        #: The names of processes that were found dead and started again.
        self.restarted: list[str] = []

    @property
    def nodes(self) -> list[Program]:
        return [p for name, p in self._programs.items() if not is_scheduler(name)]

    @property
    def schedulers(self) -> list[Program]:
        return [p for name, p in self._programs.items() if is_scheduler(name)]

    def __getitem__(self, name: str) -> Program:
        return self._programs[name]

    def __contains__(self, name: str) -> bool:
        return name in self._programs

    def start(self, *names: str) -> None:
        """Start nodes and schedulers; nodes are ready on return."""
        for name in names:
            self.launch(name)
        for name in names:
            if not is_scheduler(name):
                self._programs[name].wait_for_line(READY)

    def launch(self, name: str, extra: Mapping[str, str] | None = None) -> None:
        """Start one process without waiting for it; `extra` variables are kept by restarts."""
        self._extra[name] = extra or {}
        self._programs[name] = self._program(name)

    def is_ready(self, name: str) -> bool:
        """Whether a node that was launched has joined."""
        return READY in self._programs[name].said()

    def tend(self) -> None:
        """Start again what has died, after a short while, as a supervisor would."""
        for name, program in list(self._programs.items()):
            if program.is_alive():
                self._died_at.pop(name, None)
            elif monotonic() > self._died_at.setdefault(name, monotonic()) + RESTART_AFTER:
                self.restarted.append(name)
                self._programs[name] = self._program(name)

    def retire(self, name: str) -> None:
        """Forget a process that is meant to stay away."""
        self._programs.pop(name).kill()

    def release(self, name: str) -> Program:
        """Ask a node to stop and forget it: it drains."""
        program = self._programs.pop(name)
        program.terminate()
        return program

    def drain(self, name: str) -> int:
        """Ask a node to stop and let it go; its exit code."""
        return self.release(name).wait()

    def failpoint(self, name: str) -> Path:
        """The file that tells a node where to stop (see `tests.chaos.app`)."""
        return self._folder / f"{name}.failpoint"

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

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _program(self, name: str) -> Program:
        command = scheduler_command() if is_scheduler(name) else _obedient(node_command(name))
        environment = {
            **self.environment,
            **(self._network.environment(name) if self._network else {}),
            **self._extra[name],
            "HASHWORLD_NODE_NAME": name,
            "HASHWORLD_TEST_FAILPOINT": str(self.failpoint(name)),
        }
        return Program(command, environment, self._folder / f"{name}.log")


def is_scheduler(name: str) -> bool:
    """Whether a process of this name is a scheduler, of which there may be several."""
    return name.startswith(SCHEDULER)


def _obedient(command: Sequence[str]) -> list[str]:
    """The command of a node, with the application that does as a page says."""
    return ["tests.chaos.app" if word == "hashworld.celery" else word for word in command]
