"""`manage.py verify`: are all kept bodies what they were?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hashworld.tasks.content.verify import verify


class Command(BaseCommand):
    """Re-hash every kept body; names each damaged one and ends with 1 when there is any."""

    help = "Read every kept body again and compare it with its SHA-256."

    def handle(self, *args: Any, **options: Any) -> None:
        """Check and report."""
        bodies = size = damaged = 0
        for checked in verify():
            bodies += 1
            size += checked.content.size
            if checked.damage:
                damaged += 1
                self.stderr.write(checked.damage)
        self.stdout.write(f"{bodies} bodies, {size} bytes read, {damaged} damaged.")
        if damaged:
            raise CommandError(f"{damaged} of {bodies} bodies are damaged; retry their tasks.")
