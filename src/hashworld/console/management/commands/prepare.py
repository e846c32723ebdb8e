"""`manage.py prepare`: an installation made ready, or brought up to date."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hashworld import preparation


class Command(BaseCommand):
    """Migrate, and make what is missing; run again or by two at once, it harms nothing."""

    help = (
        "Migrates the database, then makes what is missing: groups, lands, schedules and the"
        " administrator, whose password is printed this once. Of several at once, one works."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """How long to wait for another."""
        parser.add_argument(
            "--patience",
            type=int,
            default=preparation.PATIENCE,
            help="seconds to wait for another that prepares; %(default)s unless told",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, and say what came of it."""
        try:
            self.stdout.write(preparation.prepare(options["patience"]))
        except preparation.Busy as error:
            raise CommandError(str(error)) from error
