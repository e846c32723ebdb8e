"""Commands that do something to tasks or to whole jobs."""

from typing import Any

from django.core.management.base import CommandParser

from hashworld.cli.cluster import Cluster, Document, Failed
from hashworld.cli.command import ClusterCommand
from hashworld.cli.local import REFUSED
from hashworld.cli.numbers import number
from hashworld.command import WRONG


class VerbCommand(ClusterCommand):
    """A verb on tasks by their numbers, or on jobs by `--job`."""

    verb = done = skipped = ""

    def add_arguments(self, parser: CommandParser) -> None:
        """To what, and why."""
        parser.add_argument("ids", nargs="*", type=number, metavar="TASK")
        parser.add_argument("--job", action="append", type=number, default=[], metavar="JOB")
        parser.add_argument("--reason", default="", help="why; it is written down")

    def act(self, cluster: Cluster, options: dict[str, Any]) -> None:
        """Do it; what could not be done to all of them ends with a code."""
        if not options["ids"] and not options["job"]:
            raise Failed(f"Name tasks, or jobs by --job, to {self.verb}.", WRONG)
        reason = options["reason"]
        for job_id in options["job"]:
            job = cluster.tell_job(job_id, self.verb, reason, options.get("which", ""))
            self.say(job, f"Job {job_id} is being told to {self.verb}.", options)
        if options["ids"]:
            acted = cluster.tell_tasks(options["ids"], self.verb, reason)
            self.say(acted, self._told(acted), options)
            if acted["skipped"] or acted["unknown"]:
                raise SystemExit(REFUSED)

    def _told(self, acted: Document) -> str:
        words = {"done": self.done, "skipped": self.skipped, "unknown": "not known to you"}
        told = (
            f"{', '.join(map(str, acted[name]))}: {word}"
            for name, word in words.items()
            if acted[name]
        )
        return "\n".join(told)
