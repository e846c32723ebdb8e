"""Tokens of nodes: issued by an operator, shown once, and rotated by the node itself."""

import hashlib
import re
import secrets
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from hashworld.api.rpc.models import NodeToken
from hashworld.nodes import clock
from hashworld.verbs import audit, rights
from hashworld.verbs.errors import Invalid
from hashworld.verbs.rights import Scope, verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PREFIX = "hwn_"
#: A token that a node chooses has so many characters, of those that metadata can carry.
SHORTEST, LONGEST = 32, 200
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOKEN = re.compile(r"[!-~]*")
#: How the tokens of people begin.
_OTHERS = "hw_"


@verb(Scope.ADMIN)
def issue(user: "User", node: str, reason: str = "") -> str:
    """A new token for a node, which need not have joined yet; the one that it had ends.

    The token is kept nowhere but in its digest. Raises Forbidden and Invalid.
    """
    rights.require(user, rights.CONTROL_NODE, "issue tokens of nodes")
    if not _NAME.fullmatch(node):
        raise Invalid("node", "must have 1 to 64 letters, digits, dots, dashes and underscores")
    token = PREFIX + secrets.token_urlsafe(32)
    values = {"digest": digest(token), "changed_at": clock.now()}
    NodeToken.objects.update_or_create(node=node, defaults=values)
    audit.note(user, "issue node token", f"node {node}", reason=reason)
    return token


def holder(token: str) -> str | None:
    """The name of the node whose token this is."""
    found = NodeToken.objects.filter(digest=digest(token)).values_list("node", flat=True)
    return found.first()


def verify(node: str, token: str) -> bool:
    """Whether this is the token of that node."""
    return bool(token) and holder(token) == node


def rotate(node: str, old: str, new: str) -> bool:
    """Put another token in the old one's place; False when that is not the node's (any more).

    Raises Invalid when the new one could be guessed or cannot be carried.
    """
    if not SHORTEST <= len(new) <= LONGEST or not _TOKEN.fullmatch(new):
        reason = f"must have {SHORTEST} to {LONGEST} printable ASCII characters without spaces"
        raise Invalid("token", f"{reason}; give the new one here and the old one in the metadata")
    if new == old or new.startswith(_OTHERS):
        raise Invalid("token", "must be a new one, and must not look like a person's")
    mine = NodeToken.objects.filter(node=node, digest=digest(old))
    try:
        with transaction.atomic():
            return bool(mine.update(digest=digest(new), changed_at=clock.now()))
    except IntegrityError:
        raise Invalid("token", "cannot be used; make another one at random") from None


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
