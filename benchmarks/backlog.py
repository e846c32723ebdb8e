"""What a task costs to give out, start and record, with few tasks waiting and with many."""

import argparse
from statistics import median

from benchmarks import report, services
from benchmarks.cluster import Cluster
from benchmarks.process import Entrant, with_django
from benchmarks.stage import Stage, stage

SIZES = (10_000, 1_000_000)
TEN_MILLION = 10_000_000
WARM_UP = 3
#: Filling in the largest backlog takes minutes.
PATIENCE = 3600.0


def main() -> None:
    """Fill the backlogs, run the rounds and print the figures."""
    services.require("benchmarks.backlog")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ten-million", action="store_true", help="with 10,000,000 tasks too")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with stage() as ground:
        compare(ground, (*SIZES, TEN_MILLION) if options.ten_million else SIZES, options.rounds)


def compare(ground: Stage, sizes: tuple[int, ...], rounds: int) -> None:
    """Take turns, so that what else the machine does falls on all alike."""
    backlogs = {size: _fill(ground, size) for size in sizes}
    costs: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
    for number in range(WARM_UP + rounds):
        for size, backlog in backlogs.items():
            backlog.go()
            figures = backlog.figures()
            if number >= WARM_UP:
                costs[size].append(figures)
    show({size: _medians(figures) for size, figures in costs.items()})


def _fill(ground: Stage, size: int) -> Entrant:
    report.say(f"filling in {size:,} tasks")
    cluster = Cluster(f"backlog_{size}", ground.folder, ground.programs)
    command = with_django("benchmarks.cycle", str(size))
    name = f"backlog-{size}"
    return ground.programs.enter(name, command, cluster.environment, patience=PATIENCE)


def _medians(figures: list[dict[str, float]]) -> dict[str, float]:
    """Of each part, microseconds per task."""
    parts = [name for name in figures[0] if name != "tasks"]
    return {name: median(1e6 * each[name] / each["tasks"] for each in figures) for name in parts}


def show(costs: dict[int, dict[str, float]]) -> None:
    """Costs per task, and the ratio between the first two sizes."""
    few, many = (sum(costs[size].values()) for size in SIZES)
    report.table(
        ["waiting tasks", *costs[SIZES[0]], "all, µs a task", ""],
        [
            [
                f"{size:,}",
                *(f"{value:.1f}" for value in parts.values()),
                f"{sum(parts.values()):.1f}",
                f"x {sum(parts.values()) / few:.2f}",
            ]
            for size, parts in costs.items()
        ],
    )
    report.result({"backlog_cost_ratio": many / few})


if __name__ == "__main__":
    main()
