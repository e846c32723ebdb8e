"""A run on one footing: its servers, its environment, and the process that does it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hashworld.embedded.ports import find_free
from tests.environment import OURS, SERVERS
from tests.program import ROOT
from tests.services import Cluster


@dataclass(frozen=True, slots=True)
class Run:
    """A module whose `main` is run with Django set up, its arguments, and what it needs.

    `lease` is in seconds; a heartbeat is a third of it. The site has `hosts`.
    """

    footing: str
    module: str
    arguments: Sequence[str]
    lease: float
    hosts: Sequence[str]
    servers: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


def perform(run: Run, keep: bool) -> dict[str, Any]:
    """The figures that it wrote; of a run that broke off, that it did."""
    folder = Path(tempfile.mkdtemp(prefix=f"hashworld-chaos-{run.footing}-"))
    with ExitStack() as stack:
        if keep:
            print(f"  data and logs: {folder}")
        else:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        variables = environment(folder, run)
        if run.servers:
            cluster = Cluster(folder / "services")
            stack.callback(cluster.stop if keep else cluster.remove)
            cluster.start(run.servers)
            variables |= cluster.environment()
        code = f"import django; django.setup(); from {run.module} import main; main()"
        command = [sys.executable, "-c", code, str(folder), *run.arguments]
        child = subprocess.Popen(command, env=variables, cwd=ROOT)
        try:
            child.wait()
        finally:
            child.terminate()
            child.wait()
        file = folder / "figures.json"
        if not file.exists():
            return {"unexpected": 1, "notes": [f"the run ended with code {child.returncode}"]}
        figures: dict[str, Any] = json.loads(file.read_text())
        return figures


def environment(folder: Path, run: Run) -> dict[str, str]:
    """The environment of a run's processes; only the site may be fetched."""
    foreign = (*OURS, *SERVERS)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
        "DJANGO_SETTINGS_MODULE": "hashworld.settings",
        "HASHWORLD_DATA_DIR": str(folder / "data"),
        "HASHWORLD_FETCH_ALLOW_NETWORKS": "127.0.0.0/8",
        "HASHWORLD_FETCH_PORTS": str(find_free(run.hosts)),
        "HASHWORLD_HEARTBEAT_SECONDS": str(run.lease / 3),
        "HASHWORLD_LEASE_SECONDS": str(run.lease),
        "HASHWORLD_MAX_TASKS": "128",
        **run.settings,
    }


def show(figures: Mapping[str, Mapping[str, Any]]) -> None:
    """The ledgers as a table, and the first examples of whatever went wrong."""
    keys = [key for key in dict.fromkeys(k for each in figures.values() for k in each)]
    keys.remove("notes")
    print(f"\n{'':<28}" + "".join(f"{name:>12}" for name in figures))
    for key in keys:
        values = "".join(f"{each.get(key, '-'):>12}" for each in figures.values())
        print(f"{key.replace('_', ' '):<28}{values}")
    for name, each in figures.items():
        for note in each.get("notes", ()):
            print(f"{name}: {note}")
