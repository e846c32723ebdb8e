"""`hashworld jobs`: list jobs, or look at some."""

from typing import Any

from django.core.management.base import CommandParser

from hashworld.cli.cluster import Cluster, pages
from hashworld.cli.command import ClusterCommand, Column, moment
from hashworld.cli.numbers import number

COLUMNS: list[Column] = [
    ("job", lambda job: str(job["id"])),
    ("name", lambda job: job["name"]),
    ("owner", lambda job: job["owner"]),
    ("total", lambda job: job["total"]),
    *(
        (title, lambda job, state=state: job["counts"][state])
        for title, state in (
            ("waiting", "waiting"),
            ("in queue", "inqueue"),
            ("running", "running"),
            ("failed", "runtime_error"),
            ("succeeded", "succeed"),
            ("killed", "killed"),
        )
    ),
    ("state", lambda job: _state(job)),
    ("handed in", lambda job: moment(job["created_at"])),
]


class Command(ClusterCommand):
    """List jobs, the newest first."""

    help = "List jobs, the newest first, or look at some by their numbers."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which jobs."""
        add = parser.add_argument
        add("ids", nargs="*", type=number, metavar="JOB")
        add("--name", help="part of the name")
        add("--owner", help="the name of the account")
        add("--tag")
        add("--since", metavar="MOMENT", help="handed in since, as 2030-01-31T12:00:00Z")
        add("--unfinished", action="store_true", help="only those with something left to do")
        add("--limit", type=number, default=50, help="how many, 50 unless told")

    def act(self, cluster: Cluster, options: dict[str, Any]) -> None:
        """Show them."""
        if options["ids"]:
            self.show([cluster.job(job_id) for job_id in options["ids"]], COLUMNS, options)
            return
        names = ("name", "owner", "tag", "since", "unfinished")
        wanted = {name: options[name] for name in names if options[name]}
        self.show(pages(cluster.jobs, wanted, options["limit"]), COLUMNS, options)


def _state(job: dict[str, Any]) -> str:
    if job["under_way"]:
        return f"being told to {job['under_way']}"
    if job["paused"]:
        return "paused"
    return "finished" if job["finished_at"] else "under way"
