"""`hashworld token`: make, list and revoke API tokens."""

from typing import Any

from django.core.management.base import CommandParser

from hashworld.cli.cluster import Cluster, Failed
from hashworld.cli.command import ClusterCommand, Column, moment
from hashworld.cli.numbers import number
from hashworld.command import WRONG
from hashworld.verbs.rights import Scope

COLUMNS: list[Column] = [
    ("token", lambda token: str(token["id"])),
    ("name", lambda token: token["name"]),
    ("begins", lambda token: token["hint"]),
    ("scopes", lambda token: token["scopes"]),
    ("made", lambda token: moment(token["created_at"])),
    ("expires", lambda token: moment(token["expires_at"])),
    ("last used", lambda token: moment(token["last_used_at"])),
    ("revoked", lambda token: moment(token["revoked_at"])),
]
DAY = 86_400


class Command(ClusterCommand):
    """List tokens, issue one, revoke one, or issue one for a node."""

    help = "List your API tokens, issue or revoke one, or issue one for a node."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do."""
        add = parser.add_argument
        add("verb", nargs="?", choices=("issue", "revoke", "node"))
        add("name", nargs="?", metavar="NAME|TOKEN|NODE")
        add("--scope", action="append", choices=[scope.value for scope in Scope])
        add("--days", type=number, help="how long it lasts; for ever unless told")

    def act(self, cluster: Cluster, options: dict[str, Any]) -> None:
        """Do it; a secret is printed once and kept nowhere."""
        verb, name = options["verb"], options["name"]
        if verb is None:
            self.show(cluster.tokens(), COLUMNS, options)
            return
        if name is None:
            raise Failed(f"Name what to {verb}.", WRONG)
        if verb == "issue":
            seconds = options["days"] * DAY if options["days"] else None
            made = cluster.issue(name, options["scope"] or [Scope.READ.value], seconds)
            self.say(made, made["secret"], options)
        elif verb == "node":
            made = cluster.issue_node_token(name)
            self.say(made, made["secret"], options)
        elif not name.isascii() or not name.isdecimal():
            raise Failed(f"A token is revoked by its number, not by {name!r}.", WRONG)
        else:
            revoked = cluster.revoke(int(name))
            self.say(revoked, f"Token {name} is revoked.", options)
