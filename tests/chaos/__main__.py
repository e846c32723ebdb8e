"""Breaks a cluster on purpose and tells what came of it: `python -m tests.chaos [--quick]`.

The last line is the verdict as one JSON object. The exit code is 0 only when nothing was lost,
no result doubled, no move illegal, no rescue late or false, and nothing unexpected.
"""

import argparse
import json
import os
import random
import signal
import sys
from types import FrameType
from typing import Any

from tests.chaos.footing import Run, perform, show
from tests.chaos.site import HOSTS, MANY_HOSTS
from tests.services.__main__ import LEFT_OUT, missing

SERVERS_NEEDED = ["mariadb", "rabbitmq"]
WRONG = ("lost", "duplicated_results", "illegal_moves", "unexpected")
SUMMED = ("ok", *WRONG, "duplicated_executions", "faults", "tasks", "refused_by_the_fence")
WRONG_IN_TIME = ("late", "false_rescues")
#: The shape of the quick run, and of the long one.
QUICK = {"tasks": 10_000, "nodes": 2, "lease": 5.0, "faults": 0}
LONG = {"tasks": 20_000, "nodes": 4, "lease": 15.0, "faults": 72}
#: How many tasks the Celery program that everybody writes is given, and how often it is struck;
#: what is told of it.
PEER_TASKS, PEER_KILLS = 300, 6
EVERYDAY = {"tasks": "tasks", "lost": "lost", "duplicated": "duplicated_executions"}


def main() -> int:
    options = parsed()
    signal.signal(signal.SIGTERM, terminated)
    print(f"seed {options.seed}")
    return quick(options) if options.quick else long(options)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--quick", action="store_true", help="every fault of a small set once")
    parser.add_argument(
        "--footing", choices=("embedded", "cluster", "both"), default="both", help="of --quick"
    )
    parser.add_argument("--tasks", type=int, help="in all")
    parser.add_argument("--nodes", type=int, help="on each footing")
    parser.add_argument("--faults", type=int, help="at least; not of --quick")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--lease", type=float, help="seconds; a heartbeat is a third")
    parser.add_argument("--only", default="", help="these kinds of fault, comma-separated")
    parser.add_argument("--keep", action="store_true", help="keep data and logs, and say where")
    options = parser.parse_args()
    for name, value in (QUICK if options.quick else LONG).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def quick(options: argparse.Namespace) -> int:
    """Every fault once, on one footing after the other."""
    footings = ["embedded", "cluster"] if options.footing == "both" else [options.footing]
    if "cluster" in footings and (lacks := missing(SERVERS_NEEDED)):
        print(f"cluster: left out, this machine lacks {lacks}")
        footings.remove("cluster")
        if not footings or os.environ.get("CI") == "true":
            return LEFT_OUT
    figures = {}
    for footing in footings:
        print(f"{footing}:", flush=True)
        arguments = (footing, *shape(options), f"--tasks={options.tasks // len(footings)}")
        servers = SERVERS_NEEDED if footing == "cluster" else []
        run = Run(footing, "tests.chaos.run", arguments, options.lease, HOSTS, servers)
        figures[footing] = perform(run, options.keep)
    show(figures)
    total = {key: sum(each.get(key, 0) for each in figures.values()) for key in SUMMED}
    print(json.dumps({**total, "seed": options.seed, "footings": figures}))
    return 1 if any(total[key] for key in WRONG) else 0


def long(options: argparse.Namespace) -> int:
    """Many faults at random and side by side, on the cluster footing."""
    servers = [*SERVERS_NEEDED, "redis"]
    if lacks := missing(servers):
        print(f"left out, this machine lacks {lacks}")
        return LEFT_OUT
    arguments = (*shape(options), f"--tasks={options.tasks}", f"--faults={options.faults}")
    settings = {"HASHWORLD_DRAIN_SECONDS": "5", "HASHWORLD_HOST_MAX_CONNECTIONS": "2"}
    module = "tests.chaos.nemesis.run"
    run = Run("cluster", module, arguments, options.lease, MANY_HOSTS, servers, settings)
    figures: dict[str, Any] = perform(run, options.keep)
    everyday = {} if options.only else beside(options)
    show({"hashworld": figures, **({"everyday": everyday} if everyday else {})})
    told = {f"everyday_{name}": everyday.get(key) for name, key in EVERYDAY.items() if everyday}
    print(json.dumps({**figures, **told, "seed": options.seed}))
    return 1 if any(figures.get(key, 1) for key in (*WRONG, *WRONG_IN_TIME)) else 0


def beside(options: argparse.Namespace) -> dict[str, Any]:
    """What kills alone do to the Celery program that everybody writes."""
    arguments = (f"--tasks={PEER_TASKS}", f"--kills={PEER_KILLS}", f"--seed={options.seed}")
    module = "tests.chaos.everyday"
    run = Run("everyday", module, arguments, options.lease, MANY_HOSTS, SERVERS_NEEDED)
    return perform(run, options.keep)


def shape(options: argparse.Namespace) -> tuple[str, ...]:
    """What both kinds of run are told alike."""
    return f"--nodes={options.nodes}", f"--seed={options.seed}", f"--only={options.only}"


def terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
