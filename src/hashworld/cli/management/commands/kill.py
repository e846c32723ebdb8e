"""`hashworld kill`: end tasks, or whole jobs."""

from hashworld.cli.verbs import VerbCommand


class Command(VerbCommand):
    """End what has not ended."""

    help = "End tasks that have not ended, or whole jobs."
    verb, done, skipped = "kill", "killed", "had ended before"
