"""The `hashworld` command: Django's command line with HashWorld's settings."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError, ProgrammingError

from hashworld.command import AWAY
from hashworld.database import explain, is_away


def main() -> None:
    """Run the management command named on the command line.

    A database that is away, or not set up, is told in one line; `--traceback` shows all. The exit
    code is AWAY when another try may help, else 1.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hashworld.settings")
    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, ProgrammingError, ImproperlyConfigured) as error:
        if "--traceback" in sys.argv:
            raise
        print(explain(error), file=sys.stderr)
        sys.exit(AWAY if is_away(error) else 1)


if __name__ == "__main__":
    main()
