"""The `hashworld` command: Django's command line with HashWorld's settings."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError, ProgrammingError

from hashworld.database import explain


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


if __name__ == "__main__":
    main()
