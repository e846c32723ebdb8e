"""The `hashworld` command: Django's command line with HashWorld's settings."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import Error, OperationalError, ProgrammingError


def main() -> None:
    """Run the management command named on the command line.

    A database that is away, or not set up, is told in one line; `--traceback` shows all.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hashworld.settings")
    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, ProgrammingError, ImproperlyConfigured) as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(explain(error))


def explain(error: Error | ImproperlyConfigured) -> str:
    """One line on what is wrong with the database, and what to do."""
    text = str(error.args[-1] if error.args else error).strip().splitlines()[0]
    if "no such table" in text or "doesn't exist" in text:
        return f"The database is not set up: {text}. Run `make migrate` first."
    if isinstance(error, ImproperlyConfigured):
        return f"The configuration cannot be used: {text}"
    return f"The database cannot be used: {text}. Is it running, and is DATABASE_URL right?"


if __name__ == "__main__":
    main()
