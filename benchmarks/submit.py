"""Taking in 100,000 URLs, beside rows and one `apply_async` for each."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks import report, services
from benchmarks.cluster import Cluster
from benchmarks.process import Programs, with_django
from benchmarks.stage import Stage, stage


def main() -> None:
    """Run the rounds and print the figures."""
    services.require("benchmarks.submit")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--urls", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=10_000, help="URLs of the Celery program")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with stage() as ground:
        compare(ground, options)


def compare(ground: Stage, options: argparse.Namespace) -> None:
    """HashWorld without nodes, and the everyday program without workers, in turn."""
    ports = {"HASHWORLD_FETCH_PORTS": str(ground.target.port)}
    cluster = Cluster("submit", ground.folder, ground.programs, ports)
    peer = {**cluster.environment, "DATABASE_URL": services.make_database("everyday")}
    everyday = [sys.executable, "-m", "benchmarks.peers.everyday"]

    def ours(path: str) -> dict[str, float]:
        command = with_django("benchmarks.client", path, "0")
        return _run(ground.programs, command, cluster.environment)

    def rows_and_messages(path: str) -> dict[str, float]:
        return _run(ground.programs, [*everyday, "submit", path], peer)

    def messages(path: str) -> dict[str, float]:
        return _run(ground.programs, [*everyday, "send", path], peer)

    ways: list[tuple[str, int, Callable[[str], dict[str, float]]]] = [
        ("HashWorld: submit", options.urls, ours),
        ("Celery: rows and apply_async", options.sample, rows_and_messages),
        ("Celery: apply_async alone", options.sample, messages),
    ]
    rates: dict[str, list[float]] = {name: [] for name, _, _ in ways}
    for number in range(1, options.rounds + 1):
        for name, count, run in ways:
            path = ground.folder / "urls"
            path.write_text("\n".join(ground.target.urls(f"round-{number}", count)))
            figures = run(str(path))
            rates[name].append(count / (figures["ended"] - figures["began"]))
            report.say(f"round {number}: {name}: {rates[name][-1]:,.0f} URLs/s")
    show(rates)


def _run(programs: Programs, command: list[str], environment: dict[str, str]) -> dict[str, float]:
    entrant = programs.enter(Path(command[-2]).name, command, environment)
    entrant.go()
    figures = entrant.figures()
    programs.stop(entrant)
    return figures


def show(rates: dict[str, list[float]]) -> None:
    """The medians, and of the ratios those within a round."""
    ours, both, alone = rates.values()
    report.table(
        ["", "URLs/s", "HashWorld is"],
        [
            [
                name,
                f"{median(theirs):,.0f}",
                "" if theirs is ours else f"x {_ratio(ours, theirs):.2f}",
            ]
            for name, theirs in rates.items()
        ],
    )
    report.result(
        {
            "submit_rows_per_s": median(ours),
            "vs_rows_and_apply_async": _ratio(ours, both),
            "vs_apply_async": _ratio(ours, alone),
        }
    )


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return median(a / b for a, b in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    main()
