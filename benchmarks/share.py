"""Fair share: 100 URLs of one person alone, and beside 100,000 of another."""

import argparse
import json
from statistics import median

from benchmarks import report, services
from benchmarks.cluster import Cluster
from benchmarks.contenders import PROCESSES
from benchmarks.hanging import HangingSite
from benchmarks.process import Entrant, with_django
from benchmarks.stage import Stage, stage

#: How long every page takes to come, in seconds.
PAGE_SECONDS = 0.5
#: Who has how many hosts; none is of both.
LARGE_HOSTS, SMALL_HOSTS = 40, 4
#: The small job is measured beside the large one when so many tasks of that have been fetched.
UNDER_WAY = 1_000


def main() -> None:
    """Run the rounds and print the figures."""
    services.require("benchmarks.share")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--small", type=int, default=100)
    parser.add_argument("--hosts", type=int, default=LARGE_HOSTS, help="of the large job")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    large, small = _addresses(1, options.hosts), _addresses(2, SMALL_HOSTS)
    with stage() as ground, HangingSite((*large, *small), PAGE_SECONDS) as site:
        compare(ground, site, (large, small), options)


def compare(
    ground: Stage,
    site: HangingSite,
    addresses: tuple[list[str], list[str]],
    options: argparse.Namespace,
) -> None:
    """The small job alone, round after round; then beside the large one."""
    large, small = addresses
    settings = {"HASHWORLD_FETCH_PORTS": str(site.port)}
    cluster = Cluster("share", ground.folder, ground.programs, settings)
    cluster.start(PROCESSES)
    owner = Owner(ground, cluster, "small")

    def seconds(when: str, number: int) -> float:
        path = f"{when}-{number}".replace(" ", "-")
        took = owner.fetch(site.urls(small, path, options.small))
        report.say(f"{options.small} URLs {when}: {took:.2f} s")
        return took

    seconds("warming up", 0)
    alone = [seconds("alone", number) for number in range(options.rounds)]
    report.say(f"another person hands in {options.large:,} URLs")
    other = Owner(ground, cluster, "large")
    other.fetch(site.urls(large, "large", options.large), UNDER_WAY)
    beside = [seconds("beside them", number) for number in range(options.rounds)]
    show(alone, beside, other.left())


class Owner:
    """A person with jobs of their own, as a client that takes them one after the other."""

    def __init__(self, ground: Stage, cluster: Cluster, name: str) -> None:
        self._path = ground.folder / f"{name}-told"
        command = with_django("benchmarks.owner", name, str(self._path))
        self._client: Entrant = ground.programs.enter(f"owner-{name}", command, cluster.environment)

    def fetch(self, urls: list[str], until: int = 0) -> float:
        """Hand in a job and wait until all of it, or so many, have been fetched; the seconds."""
        return self._told(urls=urls, until=until or len(urls))["seconds"]

    def left(self) -> float:
        """How many tasks of the last job wait to be fetched."""
        return self._told(urls=[], until=0)["left"]

    def _told(self, **what: object) -> dict[str, float]:
        self._path.write_text(json.dumps(what))
        self._client.go()
        return self._client.figures()


def show(alone: list[float], beside: list[float], left: float) -> None:
    """The medians, and how often the time alone it took beside the other; the worst of it, too."""
    report.table(
        ["the small job", "s", "the slowest"],
        [
            ["alone", f"{median(alone):.2f}", f"{max(alone):.2f}"],
            ["beside the large one", f"{median(beside):.2f}", f"{max(beside):.2f}"],
        ],
    )
    report.result(
        {
            "small_alone_s": median(alone),
            "small_beside_s": median(beside),
            "share_ratio": median(beside) / median(alone),
            "share_ratio_worst": max(beside) / median(alone),
            "large_left": left,
        }
    )


def _addresses(part: int, count: int) -> list[str]:
    return [f"127.{part}.{number // 250}.{number % 250 + 1}" for number in range(count)]


if __name__ == "__main__":
    main()
