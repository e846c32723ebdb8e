"""HashWorld on the cluster footing: a database of its own, nodes and a scheduler."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks import measure
from benchmarks.process import Entrant, Programs, run, with_django
from benchmarks.services import make_database
from hashworld.embedded.roles import node_command, scheduler_command
from tests.program import Program

#: The names that a developer's shell may have set for an installation of its own.
OURS = ("HASHWORLD_", "DJANGO_", "MYSQL_", "LOG_")


class Cluster:
    """Lives in `folder`; everything but what is given is left at HashWorld's defaults."""

    def __init__(
        self, name: str, folder: Path, programs: Programs, settings: Mapping[str, str] | None = None
    ) -> None:
        self._name = name
        self._folder = folder
        self._programs = programs
        self.nodes: list[Program] = []
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(OURS)},
            "DATABASE_URL": make_database(name),
            "DJANGO_SETTINGS_MODULE": "hashworld.settings",
            "HASHWORLD_DATA_DIR": str(folder / "data"),
            "HASHWORLD_DRAIN_SECONDS": "1",
            "HASHWORLD_FETCH_ALLOW_NETWORKS": "127.0.0.0/8",
            **(settings or {}),
        }
        for step in ("migrate", "initland", "initschedules"):
            run([sys.executable, "src/manage.py", step], self.environment)

    def start(self, nodes: int) -> None:
        """Start nodes and the scheduler; they are ready on return."""
        for number in range(1, nodes + 1):
            name = f"{self._name}-{number}"
            environment = {**self.environment, "HASHWORLD_NODE_NAME": name}
            self.nodes.append(self._programs.start(name, node_command(name), environment))
        self._programs.start(f"{self._name}-scheduler", scheduler_command(), self.environment)
        for node in self.nodes:
            node.wait_for_line("node ready")

    def client(self, urls: Iterable[str], succeeded: int) -> Entrant:
        """A client that submits these URLs and waits until so many of them have succeeded."""
        path = self._folder / f"{self._name}-urls"
        path.write_text("\n".join(urls))
        command = with_django("benchmarks.client", str(path), str(succeeded))
        return self._programs.enter(f"{self._name}-client", command, self.environment)

    def fetch(self, urls: Iterable[str], succeeded: int) -> dict[str, float]:
        """Run a client to its end; its figures, `cpu` with what the nodes used."""
        client = self.client(urls, succeeded)
        before = self.cpu_seconds()
        client.go()
        figures = client.figures()
        figures["cpu"] += self.cpu_seconds() - before
        self._programs.stop(client)
        return figures

    def cpu_seconds(self) -> float:
        """What the nodes have used."""
        return measure.cpu_seconds(node.pid for node in self.nodes)

    def memory_mb(self) -> float:
        """The most memory that any node ever had."""
        return max(measure.peak_memory_mb(node.pid) for node in self.nodes)
