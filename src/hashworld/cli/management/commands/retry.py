"""`hashworld retry`: let what has ended wait again."""

from django.core.management.base import CommandParser

from hashworld.cli.verbs import VerbCommand


class Command(VerbCommand):
    """Let tasks that have ended wait again, or what failed or was killed of whole jobs."""

    help = "Let tasks that have ended wait again, or the failed ones of whole jobs."
    verb, done, skipped = "retry", "waiting again", "had not ended"

    def add_arguments(self, parser: CommandParser) -> None:
        """Which tasks of a job."""
        super().add_arguments(parser)
        parser.add_argument(
            "--killed",
            dest="which",
            action="store_const",
            const="killed",
            default="failed",
            help="with --job: the killed tasks, not the failed ones",
        )
