"""`manage.py initschedules`: the built-in periodic tasks."""

from typing import Any

from django.core.management.base import BaseCommand

from hashworld.tasks import schedules


class Command(BaseCommand):
    """Create the built-in schedules that are missing."""

    help = "Create the built-in periodic tasks; those that are there stay as they are."

    def handle(self, *args: Any, **options: Any) -> None:
        """Make what is missing and say so."""
        made = schedules.make()
        self.stdout.write(f"Schedules made: {', '.join(made) if made else 'none were missing'}.")
