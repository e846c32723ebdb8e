"""30,000 pages of 20 KB from 16 hosts, from submit to the last one kept, beside other tools."""

import argparse
from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks import report, services
from benchmarks.cluster import Cluster
from benchmarks.contenders import (
    PROCESSES,
    BareAiohttp,
    Contender,
    Everyday,
    HashWorld,
    Run,
    Scrapy,
)
from benchmarks.stage import Stage, stage

WARM_UP = 200


def main() -> None:
    """Run the rounds and print the figures."""
    services.require("benchmarks.fetch")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=30_000, help="of HashWorld, in each round")
    parser.add_argument("--sample", type=int, default=5_000, help="pages of the slower programs")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with stage() as ground:
        compare(ground, options)


def compare(ground: Stage, options: argparse.Namespace) -> None:
    """Let everybody fetch in turn, round after round."""
    folder, programs, target = ground.folder, ground.programs, ground.target
    cluster = Cluster("fetch", folder, programs, {"HASHWORLD_FETCH_PORTS": str(target.port)})
    cluster.start(PROCESSES)
    shares: list[tuple[Contender, int]] = [
        (HashWorld(cluster), options.pages),
        (Everyday(folder, programs), options.sample),
        (Scrapy(folder, programs), options.sample),
        (BareAiohttp(folder, programs), options.pages),
    ]
    for contender, _ in shares:
        contender.fetch(target.urls("warm-up", WARM_UP))
    runs: dict[str, list[Run]] = {contender.name: [] for contender, _ in shares}
    for number in range(1, options.rounds + 1):
        for contender, share in shares:
            run = contender.fetch(target.urls(f"round-{number}", share))
            runs[contender.name].append(run)
            report.say(f"round {number}: {contender.name}: {run.pages_per_s:,.0f} pages/s")
    show(runs, cluster.memory_mb())


def show(runs: Mapping[str, Sequence[Run]], memory_mb: float) -> None:
    """The medians, and of the ratios those within a round."""
    ours = runs[HashWorld.name]
    ratios = {
        name: median(a.pages_per_s / b.pages_per_s for a, b in zip(ours, theirs, strict=True))
        for name, theirs in runs.items()
    }
    report.table(
        ["", "pages/s", "CPU s/1,000 pages", "HashWorld is"],
        [
            [
                name,
                f"{median(run.pages_per_s for run in theirs):,.0f}",
                f"{median(run.cpu_s_per_1k for run in theirs):.3f}",
                "" if theirs is ours else f"x {ratios[name]:.2f}",
            ]
            for name, theirs in runs.items()
        ],
    )
    report.result(
        {
            "pages_per_s": median(run.pages_per_s for run in ours),
            "vs_celery": ratios[Everyday.name],
            "vs_scrapy": ratios[Scrapy.name],
            "vs_bare_aiohttp": ratios[BareAiohttp.name],
            "cpu_s_per_1k": median(run.cpu_s_per_1k for run in ours),
            "node_memory_mb": memory_mb,
        }
    )


if __name__ == "__main__":
    main()
