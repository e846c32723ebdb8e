"""`manage.py initland`: the 1,024 lands and who owns them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hashworld.nodes import clock, lands, picture
from hashworld.nodes.leadership import TermOver
from hashworld.nodes.models import LANDS, Land, Node

NO_LANDS = "There are no lands yet: initland without --show makes them."


class Command(BaseCommand):
    """Create the lands that are missing, give each to its owner among the live nodes, and show."""

    help = "Create the 1,024 lands and assign them to live nodes; run twice, it changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether only to look."""
        parser.add_argument(
            "--show", action="store_true", help="print a map of the lands and change nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make and assign, or look."""
        if not options["show"]:
            self.stdout.write(f"{LANDS} lands: {lands.make()} made, {_replan()} moved.")
        owners = dict(Land.objects.values_list("id", "node__name"))
        weights = dict(Node.objects.alive(clock.now()).values_list("name", "max_tasks"))
        if options["show"]:
            self.stdout.write(picture.world(owners, weights) or NO_LANDS)
        if owners:
            self.stdout.write(picture.shares(owners, weights))


def _replan() -> int:
    try:
        return lands.replan()
    except TermOver as over:
        raise CommandError(f"the leadership is changing hands, run it again: {over}") from over
