"""Who calls, and whether this caller may: no method is open unless its rule says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hashworld.api import tokens
from hashworld.api.models import Token
from hashworld.api.rpc import node_tokens
from hashworld.verbs.errors import Forbidden
from hashworld.verbs.rights import Scope

if TYPE_CHECKING:
    from django.contrib.auth.models import User

HEADER = "authorization"
_SCHEME = "bearer "


class Unknown(Exception):
    """The call does not say who calls, or says it with what is no token."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A person's token, or the name of a node with the token that it proved itself with."""

    token: Token | None = None
    node: str = ""
    secret: str = ""

    @property
    def user(self) -> "User":
        """The person in whose name the verbs act; raises Forbidden for a node."""
        if self.token is None:
            raise Forbidden("This is for people: call it with an API token.")
        return self.token.user


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call a method: tokens with this scope, and nodes."""

    scope: Scope | None = None
    nodes: bool = False

    def require(self, caller: Caller) -> None:
        """Raise Forbidden unless the caller may."""
        if caller.token is None:
            if not self.nodes:
                raise Forbidden("This is for people: call it with an API token.")
        elif self.scope is None:
            raise Forbidden("This is for nodes: call it with the node's token.")
        elif self.scope.value not in caller.token.scopes:
            raise Forbidden(f"The token lacks the scope {self.scope.value}.")


def identify(metadata: Sequence[tuple[str, str | bytes]]) -> Caller:
    """Who calls, by the one `authorization` of the metadata. Raises Unknown."""
    found = [value for key, value in metadata if key == HEADER]
    if len(found) != 1 or not isinstance(found[0], str):
        raise Unknown("say who you are: authorization: Bearer TOKEN in the metadata, once")
    if not found[0].lower().startswith(_SCHEME):
        raise Unknown("authorization must be Bearer and a token")
    secret = found[0][len(_SCHEME) :].strip()
    if secret.startswith(tokens.PREFIX):
        return _person(secret)
    if node := node_tokens.holder(secret):
        return Caller(node=node, secret=secret)
    raise Unknown("the token is unknown")


def _person(secret: str) -> Caller:
    try:
        return Caller(token=tokens.authenticate(secret))
    except tokens.BadToken as error:
        raise Unknown(str(error)) from error
