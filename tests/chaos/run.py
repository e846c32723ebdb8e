"""One footing's run: sets the stage, lets every fault strike in a random order, and judges.

Started by `tests.chaos.__main__` in the environment of the footing; its figures go to a file.
"""

import argparse
import json
import os
import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

from django.conf import settings

from hashworld.preparation import prepare
from tests.chaos import trace
from tests.chaos.broker import Broker, ClusterBroker, EmbeddedBroker
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.ledger import Ledger
from tests.chaos.nodes import Fleet
from tests.chaos.site import Site
from tests.chaos.stage import Stage
from tests.services import Cluster

_REFUSED = re.compile(r"results refused by the fence.*?refused=(\d+)")
_COLOUR = re.compile(r"\x1b\[\d*m")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("footing")
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    prepare()
    trace.install()
    site = Site(settings.ENV.fetch_ports[0])
    with site, Fleet(options.folder, os.environ) as fleet:
        names = [f"n{number}" for number in range(1, options.nodes + 1)]
        fleet.start(*names, "scheduler")
        ledger = Ledger(site, options.folder / "acknowledged")
        stage = Stage(site, fleet, broker(options.footing), ledger)
        stage.files = files(options.footing)
        stage.dice = Random(f"{options.seed} {options.footing}")
        only = options.only.split(",") if options.only else []
        faults = [fault for fault in FAULTS if not only or fault.__name__ in only]
        figures = strike(stage, faults, options.tasks)
    (options.folder / "figures.json").write_text(json.dumps(figures))


def broker(footing: str) -> Broker:
    """The broker of the footing, to be disturbed."""
    if footing == "cluster":
        return ClusterBroker(Cluster(Path(os.environ["HASHWORLD_TEST_SERVICES"])).rabbitmq)
    return EmbeddedBroker(settings.DATA_DIR / "broker.sqlite3")


def files(footing: str) -> tuple[Path, ...]:
    """The SQLite files that all processes share."""
    if footing == "cluster":
        return ()
    return settings.DATA_DIR / "hashworld.sqlite3", settings.DATA_DIR / "broker.sqlite3"


def strike(stage: Stage, faults: Sequence[Fault], tasks: int) -> dict[str, Any]:
    """Let every fault strike once, each under its share of the tasks; the figures."""
    began = monotonic()
    order = stage.dice.sample(faults, len(faults))
    failures = []
    for number, fault in enumerate(order, 1):
        share = tasks * number // len(order) - stage.ledger.count
        if failure := strike_once(stage, fault, share):
            failures.append(failure)
    verdict = stage.ledger.verdict(stage.dice)
    for failure in failures:
        verdict.count("unexpected", failure)
    return {
        **verdict.as_dict(),
        "faults": len(order) - len(failures),
        "tasks": stage.ledger.count,
        "refused_by_the_fence": refused_by_the_fence(stage),
        "restarted": len(stage.fleet.restarted),
        "seconds": round(monotonic() - began),
        **stage.figures,
    }


def strike_once(stage: Stage, fault: Fault, share: int) -> str:
    """Let one fault strike and wait until all is at its end; what went wrong with it, or ""."""
    began = monotonic()
    failure = ""
    try:
        fault(stage, share)
        stage.settle()
    except Exception as error:
        traceback.print_exc()
        failure = f"{fault.__name__}: {error}"
    print(f"  {fault.__name__:<12} {share:>6} tasks {monotonic() - began:5.1f} s", flush=True)
    return failure


def refused_by_the_fence(stage: Stage) -> int:
    """How many results the nodes said were refused."""
    return sum(map(int, _REFUSED.findall(_COLOUR.sub("", stage.fleet.logs()))))
