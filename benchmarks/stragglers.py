"""5,000 targets of which 5 % hang for 30 s: how long the others take, with them and without."""

import argparse
from collections.abc import Sequence
from statistics import median

from benchmarks import report, services
from benchmarks.cluster import Cluster
from benchmarks.contenders import PROCESSES
from benchmarks.hanging import HangingSite
from benchmarks.stage import Stage, stage
from benchmarks.target import ADDRESSES

#: Addresses that serve nothing but what hangs.
GATHERED = ("127.0.0.17", "127.0.0.18")
#: A host of the spread layout has more hanging targets than the default of 8 connections.
CONNECTIONS = 64
WARM_UP = 200


def main() -> None:
    """Run the rounds and print the figures."""
    services.require("benchmarks.stragglers")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=5_000)
    parser.add_argument("--share", type=float, default=0.05, help="of the targets that hang")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with stage() as ground, HangingSite((*ADDRESSES, *GATHERED)) as hanging:
        compare(ground, hanging, options)


def compare(ground: Stage, hanging: HangingSite, options: argparse.Namespace) -> None:
    """The quick ones alone, then with the others on few hosts, then with them on all hosts."""
    settings = {
        "HASHWORLD_FETCH_PORTS": f"{ground.target.port},{hanging.port}",
        "HASHWORLD_HOST_MAX_CONNECTIONS": str(CONNECTIONS),
    }
    cluster = Cluster("stragglers", ground.folder, ground.programs, settings)
    cluster.start(PROCESSES)
    cluster.fetch(ground.target.urls("warm-up", WARM_UP), WARM_UP)
    slow = int(options.targets * options.share)
    quick = options.targets - slow
    layouts = {"quick ones alone": (), "hanging on 2 hosts": GATHERED, "on every host": ADDRESSES}
    seconds: dict[str, list[float]] = {name: [] for name in layouts}
    for number in range(1, options.rounds + 1):
        # Whoever is first today is last tomorrow.
        order = [*layouts][number % len(layouts) :] + [*layouts][: number % len(layouts)]
        for name in order:
            addresses = layouts[name]
            path = f"round-{number}/{len(addresses)}"
            urls = mixed(ground.target.urls(path, quick), hanging.urls(addresses, path, slow))
            figures = cluster.fetch(urls, quick)
            seconds[name].append(figures["ended"] - figures["began"])
            report.say(f"round {number}: {name}: {seconds[name][-1]:.2f} s")
    show(seconds)


def mixed(many: Sequence[str], few: Sequence[str]) -> list[str]:
    """Both in one list, the few spread evenly."""
    if not few:
        return list(many)
    urls, step = [], len(many) // len(few)
    for number, url in enumerate(few):
        urls += [url, *many[number * step : (number + 1) * step]]
    return urls + list(many[len(few) * step :])


def show(seconds: dict[str, list[float]]) -> None:
    """The medians; each ratio is within a round."""
    alone, *others = seconds.values()
    ratios = [
        median(a / b for a, b in zip(theirs, alone, strict=True)) for theirs in (alone, *others)
    ]
    rows = [
        [name, f"{median(theirs):.2f}", f"x {ratio:.2f}"]
        for (name, theirs), ratio in zip(seconds.items(), ratios, strict=True)
    ]
    report.table(["until all quick ones are kept", "s", ""], rows)
    report.result({"straggler_ratio": max(ratios[1:])})


if __name__ == "__main__":
    main()
