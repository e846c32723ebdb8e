"""A project in a folder of its own, whose scripts find a `docker` that runs nothing."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.unit.deployment.docker import container

PROGRAM = Path(__file__).with_name("docker.py")
ROOT = Path(__file__).parents[3]


class Engine:
    """A project in a folder of its own, whose scripts find this engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "engine.json"
        shutil.copytree(ROOT / "scripts", folder / "scripts")
        for name in ("docker-compose.yml", "docker", "config"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "bin").mkdir()
        program = folder / "bin" / "docker"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {PROGRAM} {self.file} "$@"\n')
        program.chmod(0o755)
        self.kept = folder / ".stacks" / "hashworld" / "env"

    def set_up(self, tag: str, known: tuple[str, ...], **numbers: int) -> None:
        """Containers of a version that run, of a stack that knows some versions."""
        state: dict[str, Any] = {"known": known, "containers": [], "asked": []}
        for service in ("nginx", "web", "rpc", "chatroom", "scheduler", "worker", "flower"):
            for number in range(1, numbers.get(service, 1) + 1):
                state["containers"].append(container(service, number, tag))
        self.file.write_text(json.dumps(state))
        self.kept.parent.mkdir(parents=True)
        self.kept.write_text(f"HASHWORLD_TAG={tag}\n")

    def change(self, **changes: object) -> None:
        """How it behaves from now on."""
        self.file.write_text(json.dumps({**self.state(), **changes}))

    def state(self) -> dict[str, Any]:
        """What it keeps."""
        state: dict[str, Any] = json.loads(self.file.read_text())
        return state

    def begin(self, script: str, *arguments: str, **given: str) -> subprocess.Popen[str]:
        """A script that has begun."""
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.Popen(
            [str(self.folder / "scripts" / script), *arguments],
            env={"PATH": path, "HOME": os.environ["HOME"], **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, script: str, *arguments: str, **given: str) -> tuple[int, str]:
        """Its code and what it said."""
        with self.begin(script, *arguments, **given) as process:
            said, _ = process.communicate(timeout=200)
            return process.returncode, said

    def versions(self) -> dict[str, list[str]]:
        """The version of each container, by its service."""
        found: dict[str, list[str]] = {}
        for each in self.state()["containers"]:
            found.setdefault(each["service"], []).append(each["tag"])
        return found

    def fronts(self) -> list[str]:
        """The webs that nginx was told to ask."""
        return [word.split()[-1] for word in self.state()["asked"] if " reload " in word]

    def recall(self, name: str) -> str:
        """What the project keeps under a name."""
        return dict(re.findall(r"^(\w+)=(.*)$", self.kept.read_text(), re.MULTILINE)).get(name, "")
