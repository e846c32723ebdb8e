"""`manage.py initland`: the 1,024 lands."""

from typing import Any

from django.core.management.base import BaseCommand

from hashworld.nodes import lands
from hashworld.nodes.models import LANDS


class Command(BaseCommand):
    """Create the lands that are missing and give each to its owner among the live nodes."""

    help = "Create the 1,024 lands and assign them to live nodes; run twice, it changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        """Make and assign."""
        made, moved = lands.make(), lands.assign()
        self.stdout.write(f"{LANDS} lands: {made} made, {moved} moved.")
