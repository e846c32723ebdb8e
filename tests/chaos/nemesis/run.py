"""The long run: sets the scene, lets round after round strike, and judges.

Started by `tests.chaos.__main__` in the environment of the cluster footing; its figures go to a
file.
"""

import argparse
import json
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

from django.conf import settings
from django.db.models import F, Max
from django_celery_beat.models import PeriodicTask

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.preparation import prepare
from hashworld.tasks import moves
from hashworld.tasks.lifetimes import first_time
from hashworld.tasks.models import Attempt, Lease
from tests.chaos import trace
from tests.chaos.broker import ClusterBroker
from tests.chaos.ledger import Ledger
from tests.chaos.nemesis import holds, kills, terms
from tests.chaos.nemesis.disturbance import FAKETIME, flapping_links_of_node
from tests.chaos.nemesis.feeder import Feeder
from tests.chaos.nemesis.kinds import KINDS
from tests.chaos.nemesis.plan import Round, plan
from tests.chaos.nemesis.recurrence import Recurrence
from tests.chaos.nemesis.rescue import (
    Loss,
    Rescue,
    Silence,
    TaskLoss,
    false_rescues,
    percentile,
    rescues,
    storms,
    while_silent,
)
from tests.chaos.nemesis.rounds import play
from tests.chaos.nemesis.scene import GRACE, Scene
from tests.chaos.network import Network
from tests.chaos.nodes import Fleet
from tests.chaos.run import refused_by_the_fence
from tests.chaos.site import MANY_HOSTS, Site
from tests.chaos.stage import Stage
from tests.chaos.verdict import Verdict
from tests.services import Cluster

#: Seconds within which work must be taken back, and another master stand (contracts C5 and C7).
LIMIT = 20.0
FAILOVER = timedelta(seconds=LIMIT)
#: A built-in schedule that fires every second, whatever there is to do.
EVERY_SECOND = "dispatch"
SCHEDULERS = ("scheduler-1", "scheduler-2")
#: Seconds that the rest of the load may take.
PATIENCE = 600.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.nemesis.run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--faults", type=int, required=True)
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    if not FAKETIME.exists():
        print("  skew_clock_of_node: left out, this machine lacks faketime")
    prepare()
    trace.install()
    terms.install()
    nodes = [f"n{number}" for number in range(1, options.nodes + 1)]
    only = options.only.split(",") if options.only else []
    if unknown := set(only) - {kind.name for kind in KINDS}:
        parser.error(f"no such kind of fault here: {', '.join(sorted(unknown))}")
    kinds = [kind for kind in KINDS if not only or kind.name in only]
    servers = Cluster(Path(os.environ["HASHWORLD_TEST_SERVICES"]))
    network = Network(os.environ)
    site = Site(settings.ENV.fetch_ports[0], MANY_HOSTS)
    with site, network, Fleet(options.folder, os.environ, network) as fleet:
        fleet.start(*nodes, *SCHEDULERS)
        ledger = Ledger(site, options.folder / "acknowledged")
        stage = Stage(site, fleet, ClusterBroker(servers.rabbitmq), ledger)
        stage.dice = Random(options.seed)
        feeder = Feeder(site, ledger, Random(options.seed))
        scene = Scene(stage, network, servers, feeder, options.seed)
        rounds = plan(options.seed, kinds, options.faults, nodes)
        figures = strike(scene, rounds, options.tasks)
    (options.folder / "figures.json").write_text(json.dumps(figures))


def strike(scene: Scene, rounds: Sequence[Round], tasks: int) -> dict[str, Any]:
    """Let the rounds strike under load, hand in at least so many tasks, and judge."""
    began, since = monotonic(), clock.now()
    page = scene.stage.site.url("/page/recurring")
    scene.ledger.apart.add(page)
    recurrence = Recurrence(page)
    failures = _play(scene, rounds, tasks)
    unsettled = _settle(scene, recurrence)
    verdict = scene.ledger.verdict(scene.stage.dice)
    decisions = terms.read()
    orders = kills.hearable(kills.read(scene.killed), scene.silences, GRACE)
    gaps = _gaps(scene, decisions, (since, clock.now()))
    let_go = holds.read(scene.holds, scene.stage.site)
    for wrong in (
        *failures,
        *unsettled,
        *terms.wrongs(decisions),
        *terms.missing(gaps, FAILOVER),
        *kills.wrongs(orders),
        *holds.wrongs(let_go),
        *storms(_task_losses(), _flapping(scene), first_time(), GRACE),
    ):
        verdict.count("unexpected", wrong)
    return {
        **figures(scene, verdict),
        "faults": sum(map(len, rounds)) - len(failures),
        "kinds": len({planned.kind.name for each in rounds for planned in each}),
        "tasks": scene.ledger.count,
        "slots": len(decisions),
        "slot_gap_max_s": round(max(gap.length for gap in gaps).total_seconds(), 1),
        "firings": recurrence.count(),
        "terms": len({decision.term for decision in decisions}),
        "points": len(set(scene.points)),
        "kills": len(orders),
        "kill_max_s": round(kills.slowest(orders), 2),
        "lost_while_flapping": len(while_silent(_task_losses(), _flapping(scene), GRACE)),
        "let_go": len(let_go),
        "let_go_left_s": round(holds.least_left(let_go), 1),
        "submissions_repeated": scene.feeder.refused,
        "refused_by_the_fence": refused_by_the_fence(scene.stage),
        "restarted": len(scene.fleet.restarted),
        "seconds": round(monotonic() - began),
    }


def _play(scene: Scene, rounds: Sequence[Round], tasks: int) -> list[str]:
    """Let the rounds strike while the load goes on; what went wrong with them."""
    failures: list[str] = []
    with scene.feeder as feeder:
        for number, each in enumerate(rounds, 1):
            since = monotonic()
            failures += play(scene, each)
            told = ", ".join(f"{planned.kind.name} {planned.node}" for planned in each)
            print(f"  {number:>2}/{len(rounds)} {monotonic() - since:5.1f} s  {told}", flush=True)
        scene.stage.wait(
            lambda: feeder.error or scene.ledger.count >= tasks, "all tasks handed in", PATIENCE
        )
    if feeder.error:
        failures.append(f"the feeder: {feeder.error!r}")
    return failures


def _settle(scene: Scene, recurrence: Recurrence) -> list[str]:
    """Wait until everything is at its end; what is not, and what is wrong with the firings."""
    try:
        paused = recurrence.stop()
        moves.kill(scene.hanging)  # a fault that failed may have left one
        scene.stage.wait(recurrence.is_settled, "an end of the recurring job", PATIENCE)
        scene.stage.wait(scene.ledger.is_settled, "every task at its end", PATIENCE)
    except Exception as error:
        return [str(error)]
    return recurrence.wrongs(paused, FAILOVER)


def _gaps(
    scene: Scene, decisions: Sequence[terms.Decision], run: tuple[datetime, datetime]
) -> list[terms.Gap]:
    task = PeriodicTask.objects.get(name=EVERY_SECOND).pk
    slots = [each.slot for each in decisions if each.task == task]
    # Far from the database a master's round takes long; nobody promised otherwise.
    return terms.gaps(slots, run, [*scene.headless, *scene.slow])


def figures(scene: Scene, verdict: Verdict) -> dict[str, Any]:
    """What the ledgers say, and how soon silent nodes and masters were replaced."""
    incarnations = dict(Lease.objects.values_list("pk", "incarnation"))
    found = rescues(scene.silences, trace.read(), incarnations)
    false = false_rescues(_losses(), scene.silences, _signs_of_life(), GRACE)
    for loss in false:
        verdict.notes.append(f"false rescue of {loss.incarnation} at {loss.at}")
    late = [each for each in found if each.seconds > LIMIT]
    late_masters = [each for each in scene.failovers if each.seconds > LIMIT]
    for each in (*late, *late_masters):
        verdict.notes.append(f"late: {each}")
    return {
        **verdict.as_dict(),
        "rescues": len(found),
        **_spread(found),
        "failovers": len(scene.failovers),
        "failover_max_s": round(max((each.seconds for each in scene.failovers), default=0.0), 1),
        "late": len(late) + len(late_masters),
        "false_rescues": len(false) + _lost_while_slow(scene),
    }


def _spread(found: Sequence[Rescue]) -> dict[str, float]:
    seconds = [each.seconds for each in found]
    again = [each.again for each in found if each.again is not None]
    return {
        "rescue_p50_s": round(percentile(seconds, 0.5), 1),
        "rescue_p99_s": round(percentile(seconds, 0.99), 1),
        "rescue_max_s": round(max(seconds, default=0.0), 1),
        "rerun_p50_s": round(percentile(again, 0.5), 1),
        "rerun_max_s": round(max(again, default=0.0), 1),
    }


def _losses() -> set[Loss]:
    lost = Attempt.objects.filter(error="lost").select_related("lease")
    return {Loss(each.lease.incarnation, each.finished_at) for each in lost}


def _task_losses() -> list[TaskLoss]:
    lost = Attempt.objects.filter(error="lost")
    return [
        TaskLoss(*row) for row in lost.values_list("task_id", "lease__incarnation", "finished_at")
    ]


def _flapping(scene: Scene) -> list[Silence]:
    return [each for each in scene.silences if each.kind == flapping_links_of_node.__name__]


def _signs_of_life() -> dict[str, Any]:
    """When each incarnation last started a lease, or was last heard of."""
    signs = dict(
        Lease.objects.exclude(started_at=None)
        .order_by()
        .values_list("incarnation")
        .annotate(last=Max("started_at"))
    )
    return signs | dict(Node.objects.values_list("incarnation", "seen_at"))


def _lost_while_slow(scene: Scene) -> int:
    """Leases that ran out, started or not, while nothing was wrong but the network's pace."""
    ran_out = Lease.objects.filter(closed_at__gte=F("expires_at"))
    return sum(ran_out.filter(closed_at__range=times).count() for times in scene.slow)
