"""Breaks a cluster on purpose and tells what came of it: `python -m tests.chaos --quick`.

The last line is the verdict as one JSON object. The exit code is 0 only when nothing was lost,
no result doubled, no move illegal and nothing unexpected.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

from hashworld.embedded.ports import find_free
from tests.chaos.site import HOSTS
from tests.environment import OURS, SERVERS
from tests.services import Cluster
from tests.services.__main__ import LEFT_OUT, missing

SERVERS_NEEDED = ["mariadb", "rabbitmq"]
ROOT = Path(__file__).resolve().parents[2]
WRONG = ("lost", "duplicated_results", "illegal_moves", "unexpected")
SUMMED = ("ok", *WRONG, "duplicated_executions", "faults", "tasks", "refused_by_the_fence")
_WITH_DJANGO = "import django; django.setup(); from tests.chaos import run; run.main()"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--quick", action="store_true", help="every fault once (the default)")
    parser.add_argument("--footing", choices=("embedded", "cluster", "both"), default="both")
    parser.add_argument("--tasks", type=int, default=10_000, help="in all (default %(default)s)")
    parser.add_argument("--nodes", type=int, default=2, help="on each footing (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--lease", type=float, default=5, help="seconds; a heartbeat is a third")
    parser.add_argument("--only", default="", help="these faults, comma-separated")
    parser.add_argument("--keep", action="store_true", help="keep data and logs, and say where")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, terminated)
    footings = ["embedded", "cluster"] if options.footing == "both" else [options.footing]
    print(f"seed {options.seed}")
    if "cluster" in footings and (lacks := missing(SERVERS_NEEDED)):
        print(f"cluster: left out, this machine lacks {lacks}")
        footings.remove("cluster")
        if not footings or os.environ.get("CI") == "true":
            return LEFT_OUT
    figures = {}
    for footing in footings:
        print(f"{footing}:", flush=True)
        figures[footing] = run(footing, options, options.tasks // len(footings))
    show(figures)
    total = {key: sum(each.get(key, 0) for each in figures.values()) for key in SUMMED}
    print(json.dumps({**total, "seed": options.seed, "footings": figures}))
    return 1 if any(total[key] for key in WRONG) else 0


def terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def run(footing: str, options: argparse.Namespace, tasks: int) -> dict[str, Any]:
    """The figures of one footing; of a run that broke off, that it did."""
    folder = Path(tempfile.mkdtemp(prefix=f"hashworld-chaos-{footing}-"))
    with ExitStack() as stack:
        if options.keep:
            print(f"  data and logs: {folder}")
        else:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        variables = environment(folder, options.lease)
        if footing == "cluster":
            cluster = Cluster(folder / "services")
            stack.callback(cluster.remove)
            cluster.start(SERVERS_NEEDED)
            variables |= cluster.environment()
        command = [
            *(sys.executable, "-c", _WITH_DJANGO, str(folder), footing),
            *(f"--tasks={tasks}", f"--nodes={options.nodes}", f"--seed={options.seed}"),
            f"--only={options.only}",
        ]
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


def environment(folder: Path, lease: float) -> dict[str, str]:
    """The environment of one footing's processes; only the site may be fetched."""
    foreign = (*OURS, *SERVERS)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
        "DJANGO_SETTINGS_MODULE": "hashworld.settings",
        "HASHWORLD_DATA_DIR": str(folder / "data"),
        "HASHWORLD_FETCH_ALLOW_NETWORKS": "127.0.0.0/8",
        "HASHWORLD_FETCH_PORTS": str(find_free(HOSTS)),
        "HASHWORLD_HEARTBEAT_SECONDS": str(lease / 3),
        "HASHWORLD_LEASE_SECONDS": str(lease),
        "HASHWORLD_MAX_TASKS": "128",
    }


def show(figures: Mapping[str, Mapping[str, Any]]) -> None:
    """The ledger as a table, and the first examples of whatever went wrong."""
    keys = [key for key in dict.fromkeys(k for each in figures.values() for k in each)]
    keys.remove("notes")
    print(f"\n{'':<28}" + "".join(f"{footing:>12}" for footing in figures))
    for key in keys:
        values = "".join(f"{each.get(key, '-'):>12}" for each in figures.values())
        print(f"{key.replace('_', ' '):<28}{values}")
    for footing, each in figures.items():
        for note in each.get("notes", ()):
            print(f"{footing}: {note}")


if __name__ == "__main__":
    sys.exit(main())
