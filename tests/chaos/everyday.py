"""The Celery program that everybody writes, while its processes are killed: what becomes of it.

Started by `tests.chaos.__main__` as the long run is, on servers of its own; its figures go to a
file. It is asked for no more than that: how many of its tasks never ended, or were done twice.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from threading import Event
from time import monotonic
from typing import Any, Self

import psutil
from django.conf import settings
from django.db import connection

from tests.chaos.site import MANY_HOSTS, Site
from tests.program import Program
from tests.services.service import comes_true

PROGRAM = "benchmarks.peers.everyday"
WORKERS = 2
#: The state of a page that was fetched, as the program has it.
SUCCEED = 4
#: Seconds between two kills, and how long nothing may change until what is left is given up.
BETWEEN, QUIET = 3.0, 10.0
PATIENCE = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.everyday")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    dice, began = Random(options.seed), monotonic()
    with Site(settings.ENV.fetch_ports[0], MANY_HOSTS) as site, Everyday(options.folder) as program:
        urls = pages(site, options.tasks, dice)
        program.submit(urls)
        for number in range(options.kills):
            Event().wait(BETWEEN)
            program.strike(dice, whole=number % 2 == 1)
        program.settle()
        left, again = unfinished(), sum(max(0, site.gets(url) - 1) for url in urls)
    figures = {
        "ok": options.tasks - left,
        "lost": left,
        "duplicated_executions": again,
        "faults": options.kills,
        "kinds": 2,
        "tasks": options.tasks,
        "seconds": round(monotonic() - began),
    }
    (options.folder / "figures.json").write_text(json.dumps(figures))


def pages(site: Site, count: int, dice: Random) -> list[str]:
    """Pages that take a moment, so that whoever is killed was at work."""
    return [
        site.url(f"/slow/{dice.randrange(100, 500)}/everyday/{number}", number)
        for number in range(count)
    ]


def unfinished() -> int:
    """How many pages it has not fetched, by its own record."""
    connection.close()  # a new one sees what is there now
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM everyday_page WHERE state <> %s", [SUCCEED])
        return int(cursor.fetchone()[0])


class Everyday:
    """Its submitter and its workers; all are killed when the context ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._workers: list[Program] = []
        self._submitter: Program | None = None

    def submit(self, urls: Sequence[str]) -> None:
        """Hand in URLs, one message each, and start the workers."""
        file = self._folder / "urls"
        file.write_text("\n".join(urls))
        command = [sys.executable, "-m", PROGRAM, "fetch", str(file)]
        log = self._folder / "submitter.log"
        self._submitter = Program(command, os.environ, log, stdin=subprocess.PIPE)
        self._workers = [self._worker(number) for number in range(WORKERS)]
        assert self._submitter.process.stdin
        self._submitter.process.stdin.write(b"go\n")
        self._submitter.process.stdin.flush()
        assert comes_true(lambda: self._handed_in(len(urls)), PATIENCE), "it handed in nothing"

    def strike(self, dice: Random, *, whole: bool) -> None:
        """Kill one of its pool's processes, or a whole worker, which is started again."""
        number = dice.randrange(WORKERS)
        children = psutil.Process(self._workers[number].pid).children()
        if whole:
            self._workers[number].kill()
            self._workers[number] = self._worker(number)
        elif children:
            dice.choice(children).kill()

    def settle(self) -> None:
        """Return when all is fetched, or nothing has changed for a while."""
        left, since, deadline = unfinished(), monotonic(), monotonic() + PATIENCE
        while left and monotonic() < min(since + QUIET, deadline):
            Event().wait(0.5)
            if (now := unfinished()) != left:
                left, since = now, monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in (*self._workers, *filter(None, [self._submitter])):
            program.kill()
        if self._submitter:
            self._submitter.end(grace=0)

    def _worker(self, number: int) -> Program:
        options = f"-P prefork -c 2 -l WARNING --without-gossip -n everyday-{number}@localhost"
        command = [sys.executable, "-m", "celery", "-A", PROGRAM, "worker", *options.split()]
        return Program(command, os.environ, self._folder / f"worker-{number}.log")

    @staticmethod
    def _handed_in(count: int) -> bool:
        connection.close()
        tables: Any = connection.introspection.table_names()
        if "everyday_page" not in tables:
            return False
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM everyday_page")
            return int(cursor.fetchone()[0]) == count
