"""`hashworld tasks`: find tasks, or look at some."""

from typing import Any

from django.core.management.base import CommandParser

from hashworld.cli.cluster import Cluster, pages
from hashworld.cli.command import ClusterCommand, Column, moment
from hashworld.cli.numbers import number
from hashworld.tasks.states import State

COLUMNS: list[Column] = [
    ("task", lambda task: str(task["id"])),
    ("job", lambda task: str(task["job"])),
    ("state", lambda task: task["state"].replace("_", " ")),
    ("status", lambda task: task["status"]),
    ("error", lambda task: task["error"].replace("_", " ")),
    ("tries", lambda task: task["attempts"]),
    ("ended", lambda task: moment(task["finished_at"])),
    ("url", lambda task: task["url"]),
]


class Command(ClusterCommand):
    """Find tasks, newest job and then newest task first."""

    help = "Find tasks, or look at some by their numbers."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which tasks."""
        add = parser.add_argument
        add("ids", nargs="*", type=number, metavar="TASK")
        add("--job", type=number)
        add("--state", action="append", choices=[state.name.lower() for state in State])
        add("--host")
        add("--code", type=int, choices=range(1, 6), help="the class of the HTTP status")
        add("--error", help="a kind of error, as first_byte_timeout")
        add("--owner", help="the name of the job's account")
        add("--tag")
        add("--since", metavar="MOMENT", help="of jobs since, as 2030-01-31T12:00:00Z")
        add("--limit", type=number, default=50, help="how many, 50 unless told")

    def act(self, cluster: Cluster, options: dict[str, Any]) -> None:
        """Show them."""
        if options["ids"]:
            self.show([cluster.task(task_id) for task_id in options["ids"]], COLUMNS, options)
            return
        names = ("job", "state", "host", "code", "error", "owner", "tag", "since")
        wanted = {name: options[name] for name in names if options[name]}
        self.show(pages(cluster.tasks, wanted, options["limit"]), COLUMNS, options)
