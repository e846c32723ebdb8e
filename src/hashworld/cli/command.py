"""What the commands have in common: which cluster, how it is shown, and how a command ends."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError, ProgrammingError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hashworld.cli.cluster import Cluster, Document, Failed
from hashworld.cli.local import Local, person
from hashworld.cli.remote import Remote
from hashworld.command import AWAY, WRONG, TerseCommand
from hashworld.database import explain

#: A column: its title, and what it shows of an item.
Column = tuple[str, Callable[[Document], object]]
#: Where nobody looks, lines are not cut off.
WIDE = 400

EPILOG = """\
Without HASHWORLD_URL the local database is used, in the name of the first superuser or of --as;
with HASHWORLD_URL=https://host and HASHWORLD_TOKEN the cluster there.
Ends with 1 when it was refused or in part not done, 2 when what was given cannot be used or names
nothing that there is, 3 when the cluster cannot be reached.
"""


class ClusterCommand(TerseCommand):
    """A command that asks one cluster; what it raises as Failed ends it with one line."""

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """With what all these commands have."""
        parser = super().create_parser(prog_name, subcommand, epilog=EPILOG, **options)
        parser.add_argument("--json", action="store_true", help="JSON, one document a line")
        parser.add_argument("--as", dest="person", default="", metavar="USER", help="who acts")
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        """Ends with a code of its own when something was not done."""
        try:
            self.act(cluster(options["person"]), options)
        except Failed as error:
            raise CommandError(str(error), returncode=error.code) from error
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(explain(error), returncode=AWAY) from error

    def act(self, cluster: Cluster, options: dict[str, Any]) -> None:
        """Do it."""
        raise NotImplementedError

    def show(
        self, items: Iterable[Document], columns: Sequence[Column], options: dict[str, Any]
    ) -> None:
        """A table for people, or a line of JSON for each item."""
        if options["json"]:
            for item in items:
                self.stdout.write(json.dumps(item))
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title, _ in columns:
            table.add_column(title)
        for item in items:
            table.add_row(*(escape(shown(cell(item))) for _, cell in columns))
        tty = sys.stdout.isatty()
        Console(file=self.stdout, width=None if tty else WIDE).print(table)  # type: ignore[arg-type]

    def say(self, item: Document, text: str, options: dict[str, Any]) -> None:
        """A sentence for people, or the document."""
        self.stdout.write(json.dumps(item) if options["json"] else text)


def cluster(name: str = "") -> Cluster:
    """The cluster that the environment names."""
    if settings.ENV.url:
        if name:
            raise Failed("--as is for the local database; far away the token says who.", WRONG)
        return Remote(settings.ENV.url, settings.ENV.token)
    return Local(person(name))


def shown(value: object) -> str:
    """A value as people read it; what controls a terminal is left out."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "".join(c if c.isprintable() else "\ufffd" for c in str(value))


def moment(text: str | None) -> str:
    """A moment to the second, in UTC."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}" if text else ""
