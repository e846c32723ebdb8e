"""`hashworld why`: what keeps a task from running."""

from typing import Any

from django.core.management.base import CommandParser

from hashworld.cli.cluster import Cluster
from hashworld.cli.command import ClusterCommand
from hashworld.cli.numbers import number


class Command(ClusterCommand):
    """Tell why a task is not running, and what to do."""

    help = "Tell why a task is not running, and what to do."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which task."""
        parser.add_argument("task", type=number, metavar="TASK")

    def act(self, cluster: Cluster, options: dict[str, Any]) -> None:
        """Tell it."""
        found = cluster.why(options["task"])
        self.say(found, f"{found['sentence']} {found['remedy']}".strip(), options)
