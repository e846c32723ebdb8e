"""Tokens: made with a secret that is shown once, recognised by its digest, and revoked.

A secret has 256 bits from the system's generator, so a plain SHA-256 of it cannot be guessed
back, and finding it by that digest compares nothing byte by byte.
"""

import hashlib
import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet

from hashworld.api.models import Token
from hashworld.nodes import clock
from hashworld.verbs import audit
from hashworld.verbs.errors import Invalid, NotFound
from hashworld.verbs.rights import Scope, may, verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PREFIX = "hw_"
SECRET_BYTES = 32
HINT = 8
#: A token that lives longer is one without an end, and is to be asked for as such.
LONGEST = timedelta(days=3660)
MOST_NAME = 100
#: `last_used_at` is written once in so long.
USED_EVERY = timedelta(minutes=1)
#: What it takes to see and revoke the tokens of others.
OTHERS = "auth.change_user"


class BadToken(Exception):
    """The token is unknown, expired or revoked, or its owner's account is closed."""


def authenticate(secret: str) -> Token:
    """The token with this secret, with its user; raises BadToken."""
    if not secret.startswith(PREFIX) or len(secret) > 100:
        raise BadToken("this is no token of HashWorld")
    token = Token.objects.select_related("user").filter(digest=_digest(secret)).first()
    if token is None:
        raise BadToken("the token is unknown")
    now = clock.now()
    if token.revoked_at is not None:
        raise BadToken("the token was revoked")
    if token.expires_at is not None and token.expires_at <= now:
        raise BadToken("the token has expired")
    if not token.user.is_active:
        raise BadToken("its owner's account is closed")
    if token.last_used_at is None or token.last_used_at < now - USED_EVERY:
        Token.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


@verb(Scope.ADMIN)
def issue(
    user: "User",
    name: str,
    scopes: Collection[str],
    lasting: timedelta | None = None,
    granted: Collection[str] = tuple(Scope),
) -> tuple[Token, str]:
    """A new token of this person, and its secret, which is kept nowhere. Raises Invalid.

    `granted` is what the door lets this person hand on: a token makes none that may more.
    """
    chosen = _checked(scopes, granted)
    if not 0 < len(name) <= MOST_NAME:
        raise Invalid("name", f"must have 1 to {MOST_NAME} characters")
    if lasting is not None and not timedelta() < lasting <= LONGEST:
        raise Invalid("expires_in", "must be more than 0 seconds and at most ten years")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    now = clock.now()
    token = Token.objects.create(
        user=user,
        name=name,
        digest=_digest(secret),
        hint=secret[:HINT],
        scopes=chosen,
        created_at=now,
        expires_at=now + lasting if lasting else None,
    )
    audit.note(user, "issue token", f"token {token.pk}: {name}", reason=", ".join(chosen))
    return token, secret


@verb(Scope.ADMIN)
def find(user: "User", *, of_all: bool = False) -> list[Token]:
    """The tokens of a person, or those of all for whoever manages people, the newest first."""
    found = _visible(user)
    mine = found if of_all else found.filter(user=user)
    return list(mine.select_related("user"))


@verb(Scope.ADMIN)
def revoke(user: "User", token_id: int, reason: str = "") -> Token:
    """End a token at once; raises NotFound. One that is revoked already stays as it is."""
    token = _visible(user).select_related("user").filter(pk=token_id).first()
    if token is None:
        raise NotFound(f"There is no token {token_id}.")
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=token.revoked_at)
        audit.note(user, "revoke token", f"token {token.pk}: {token.name}", reason=reason)
    return token


def _visible(user: "User") -> QuerySet[Token]:
    return Token.objects.filter(Q() if may(user, OTHERS) else Q(user=user))


def _checked(scopes: Collection[str], granted: Collection[str]) -> list[str]:
    known = [scope.value for scope in Scope]
    if not scopes:
        raise Invalid("scopes", f"there is none; choose of {', '.join(known)}")
    for scope in scopes:
        if scope not in known:
            raise Invalid("scopes", f"{scope!r} is none of {', '.join(known)}")
        if scope not in granted:
            raise Invalid("scopes", f"{scope!r} is more than you may hand on here")
    return [scope for scope in known if scope in scopes]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
