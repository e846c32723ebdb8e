"""Who takes part in the fetch benchmark; each fetches a share of URLs and says what it took."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks import measure
from benchmarks.cluster import Cluster
from benchmarks.process import Programs
from benchmarks.services import make_database

#: Worker processes of every program but bare aiohttp.
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One share fetched: seconds from submit to the last one's end; CPU of client and workers."""

    pages: int
    seconds: float
    cpu: float

    @property
    def pages_per_s(self) -> float:
        """The rate."""
        return self.pages / self.seconds

    @property
    def cpu_s_per_1k(self) -> float:
        """CPU seconds for a thousand pages."""
        return 1000 * self.cpu / self.pages


class Contender(Protocol):
    """A program to compare."""

    name: str

    def fetch(self, urls: Sequence[str]) -> Run:
        """Fetch all; raises ProgramFailed when one is missing."""


class HashWorld:
    """Two nodes, with every setting at its default."""

    name = "HashWorld"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def fetch(self, urls: Sequence[str]) -> Run:
        """Fetch through submit, lease and store."""
        figures = self._cluster.fetch(urls, len(urls))
        return Run(len(urls), figures["ended"] - figures["began"], figures["cpu"])


class _Peer:
    """A program of benchmarks.peers with a database of its own."""

    name: str
    database = ""

    def __init__(self, folder: Path, programs: Programs) -> None:
        self._folder = folder
        self._programs = programs
        self._environment: Mapping[str, str] = {
            **os.environ,
            **({"DATABASE_URL": make_database(self.database)} if self.database else {}),
        }

    def _file(self, urls: Sequence[str]) -> str:
        path = self._folder / f"{self.database or 'peer'}-urls"
        path.write_text("\n".join(urls))
        return str(path)

    def _race(self, *commands: Sequence[str]) -> Run:
        """Run entrants side by side."""
        entrants = [
            self._programs.enter(
                f"{self.name}-{number}",
                [sys.executable, "-m", f"benchmarks.peers.{command[0]}", *command[1:]],
                self._environment,
            )
            for number, command in enumerate(commands)
        ]
        for entrant in entrants:
            entrant.go()
        figures = [entrant.figures() for entrant in entrants]
        self._programs.stop(*entrants)
        seconds = max(f["ended"] for f in figures) - min(f["began"] for f in figures)
        return Run(0, seconds, sum(f["cpu"] for f in figures))


class Everyday(_Peer):
    """Celery as everybody writes it, with two prefork children."""

    name = "everyday Celery"
    database = "everyday"

    def __init__(self, folder: Path, programs: Programs) -> None:
        super().__init__(folder, programs)
        worker = "-A benchmarks.peers.everyday worker -P prefork -l WARNING --without-gossip"
        self._worker = programs.start(
            "everyday-worker",
            [sys.executable, "-m", "celery", *worker.split(), "-c", str(PROCESSES)],
            self._environment,
        )

    def fetch(self, urls: Sequence[str]) -> Run:
        """Fetch by a message each."""
        before = measure.cpu_seconds([self._worker.pid])
        run = self._race(["everyday", "fetch", self._file(urls)])
        used = measure.cpu_seconds([self._worker.pid]) - before
        return Run(len(urls), run.seconds, run.cpu + used)


class Scrapy(_Peer):
    """Two Scrapy processes, each with half of the URLs."""

    name = "Scrapy"
    database = "scrapy"

    def fetch(self, urls: Sequence[str]) -> Run:
        """Insert the rows, then crawl."""
        inserted = self._race(["scrapy_spider", "insert", self._file(urls)])
        crawls = [["scrapy_spider", "crawl", str(PROCESSES), str(n)] for n in range(PROCESSES)]
        crawled = self._race(*crawls)
        return Run(len(urls), inserted.seconds + crawled.seconds, inserted.cpu + crawled.cpu)


class BareAiohttp(_Peer):
    """The limit: one process that stores nothing."""

    name = "bare aiohttp"

    def fetch(self, urls: Sequence[str]) -> Run:
        """Fetch and hash."""
        run = self._race(["bare_aiohttp", self._file(urls)])
        return Run(len(urls), run.seconds, run.cpu)
