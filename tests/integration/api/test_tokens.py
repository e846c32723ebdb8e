"""Tokens: what they open, for how long, and that only their digest is kept."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from hashworld.api import tokens
from hashworld.api.models import Token
from hashworld.nodes import clock
from hashworld.verbs.errors import Invalid, NotFound
from hashworld.verbs.models import AuditEntry
from tests.integration.people import Member


def test_a_token_stands_for_its_owner_and_its_secret_is_not_kept(alice: User) -> None:
    token, secret = tokens.issue(alice, "laptop", ["submit", "read"])
    assert tokens.authenticate(secret) == token
    assert tokens.authenticate(secret).user == alice
    assert token.scopes == ["read", "submit"]
    kept = Token.objects.values().get()
    assert not [value for value in kept.values() if secret in str(value)]
    assert AuditEntry.objects.get().verb == "issue token"


@pytest.mark.parametrize("secret", ["", "hw_", "hw_wrong", "Bearer", "hw_\ud800", "hw_" + "x" * 99])
def test_what_is_no_token_opens_nothing(alice: User, secret: str) -> None:
    tokens.issue(alice, "laptop", ["read"])
    with pytest.raises(tokens.BadToken):
        tokens.authenticate(secret)


def test_a_token_expires_by_the_databases_clock(alice: User) -> None:
    token, secret = tokens.issue(alice, "laptop", ["read"], timedelta(seconds=60))
    assert tokens.authenticate(secret)
    Token.objects.filter(pk=token.pk).update(expires_at=clock.now())
    with pytest.raises(tokens.BadToken, match="expired"):
        tokens.authenticate(secret)


def test_a_revoked_token_opens_nothing(alice: User) -> None:
    token, secret = tokens.issue(alice, "laptop", ["read"])
    first = tokens.revoke(alice, token.pk, "lost").revoked_at
    with pytest.raises(tokens.BadToken, match="revoked"):
        tokens.authenticate(secret)
    assert tokens.revoke(alice, token.pk).revoked_at == first
    assert AuditEntry.objects.filter(verb="revoke token", reason="lost").count() == 1


def test_the_token_of_a_closed_account_opens_nothing(alice: User) -> None:
    _, secret = tokens.issue(alice, "laptop", ["read"])
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(tokens.BadToken, match="closed"):
        tokens.authenticate(secret)


def test_its_last_use_is_noted_once_a_minute(alice: User) -> None:
    token, secret = tokens.issue(alice, "laptop", ["read"])
    tokens.authenticate(secret)
    token.refresh_from_db()
    used = token.last_used_at
    assert used
    tokens.authenticate(secret)
    token.refresh_from_db()
    assert token.last_used_at == used
    Token.objects.update(last_used_at=used - timedelta(minutes=2))
    tokens.authenticate(secret)
    token.refresh_from_db()
    assert token.last_used_at
    assert token.last_used_at >= used


@pytest.mark.parametrize(
    ("name", "scopes", "lasting", "field"),
    [
        ("", ["read"], None, "name"),
        ("x" * 101, ["read"], None, "name"),
        ("laptop", [], None, "scopes"),
        ("laptop", ["root"], None, "scopes"),
        ("laptop", ["read"], timedelta(), "expires_in"),
        ("laptop", ["read"], timedelta(days=9999), "expires_in"),
    ],
)
def test_what_cannot_be_is_refused(
    alice: User, name: str, scopes: list[str], lasting: timedelta | None, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        tokens.issue(alice, name, scopes, lasting)
    assert caught.value.field == field
    assert not Token.objects.exists()


def test_a_token_makes_none_that_may_more(alice: User) -> None:
    with pytest.raises(Invalid, match="operate"):
        tokens.issue(alice, "child", ["read", "operate"], granted=["read", "admin"])


def test_tokens_are_their_owners_and_those_of_who_manages_people(
    alice: User, bob: User, person: Member
) -> None:
    token, _ = tokens.issue(alice, "laptop", ["read"])
    assert tokens.find(alice) == [token]
    assert tokens.find(bob, of_all=True) == []
    with pytest.raises(NotFound):
        tokens.revoke(bob, token.pk)
    admin = person("admin")
    assert tokens.find(admin) == []
    assert tokens.find(admin, of_all=True) == [token]
    assert tokens.revoke(admin, token.pk).revoked_at
