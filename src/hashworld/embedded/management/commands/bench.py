"""`manage.py bench`: the benchmarks of the source tree."""

import os
import sys
from importlib.util import find_spec
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hashworld.env import PROJECT_ROOT

PARTS = ("fetch", "submit", "backlog", "stragglers")
#: What the peers need, and an installation does not have.
PEERS = ("requests", "scrapy", "aiohttp", "uvloop")


class Command(BaseCommand):
    """Hand over to `python -m benchmarks`, which brings private servers of its own."""

    help = "Measure pages per second beside other programs; the last line is JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which part."""
        parser.add_argument("part", nargs="?", choices=PARTS, help="only this; all unless told")

    def handle(self, *args: Any, **options: Any) -> None:
        """Does not return: this process becomes the benchmark."""
        if not (PROJECT_ROOT / "benchmarks").is_dir():
            raise CommandError(
                "The benchmarks are not installed with HashWorld: clone its repository and run"
                " `make bench` there."
            )
        missing = [name for name in PEERS if find_spec(name) is None]
        if missing:
            raise CommandError(
                f"The programs to compare with are missing ({', '.join(missing)}): run"
                " `make bench`, which installs them."
            )
        module = f"benchmarks.{options['part']}" if options["part"] else "benchmarks"
        os.chdir(PROJECT_ROOT)
        os.execv(sys.executable, [sys.executable, "-m", module])  # noqa: S606 - no shell wanted
