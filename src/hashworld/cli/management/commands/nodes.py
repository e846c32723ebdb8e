"""`hashworld nodes`: list nodes, and tell one what to do."""

from typing import Any

from django.core.management.base import CommandParser

from hashworld.cli.cluster import Cluster, Failed
from hashworld.cli.command import ClusterCommand, Column, moment
from hashworld.command import WRONG

COLUMNS: list[Column] = [
    ("node", lambda node: node["name"]),
    ("standing", lambda node: node["standing"] + (", paused" if node["paused"] else "")),
    ("in flight", lambda node: node["in_flight"]),
    ("at most", lambda node: node["max_tasks"]),
    ("lands", lambda node: node["lands"]),
    ("CPU %", lambda node: f"{node['cpu_percent']:.0f}"),
    ("memory MB", lambda node: f"{node['memory_mb']:.0f}"),
    ("host", lambda node: node["hostname"]),
    ("version", lambda node: node["version"]),
    ("last heard of", lambda node: moment(node["seen_at"])),
]


class Command(ClusterCommand):
    """List nodes, or tell one to drain, resume, pause or unpause."""

    help = "List nodes, or tell one what to do."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do to which node."""
        add = parser.add_argument
        add("verb", nargs="?", choices=("drain", "resume", "pause", "unpause"))
        add("node", nargs="?", metavar="NODE")
        add("--reason", default="", help="why; it is written down")

    def act(self, cluster: Cluster, options: dict[str, Any]) -> None:
        """Show all, or the one that was told."""
        if options["verb"] is None:
            self.show(cluster.nodes(), COLUMNS, options)
            return
        if options["node"] is None:
            raise Failed(f"Name the node to {options['verb']}.", WRONG)
        told = cluster.tell_node(options["node"], options["verb"], options["reason"])
        self.show([told], COLUMNS, options)
