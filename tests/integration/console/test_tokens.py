"""API tokens in the admin: made there, shown once, seen and revoked by whose they are."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from hashworld.api import tokens
from hashworld.api.models import Token
from tests.integration.console.work import As

pytestmark = pytest.mark.django_db


@pytest.fixture
def submitter(as_member: As) -> Client:
    return as_member("submitter")


def test_a_token_is_made_and_its_secret_shown_once(submitter: Client) -> None:
    form = {"name": "laptop", "scopes": ["read", "submit"], "days": 30}
    page = submitter.post(reverse("admin:api_token_add"), form)
    assert "no-store" in page["Cache-Control"]
    (secret,) = [word for word in page.content.decode().split('"secret">')[1].split("<")[:1]]
    assert tokens.authenticate(secret).scopes == ["read", "submit"]
    listed = submitter.get(reverse("admin:api_token_changelist")).content.decode()
    assert secret not in listed
    assert secret[:8] in listed


def test_a_token_without_a_scope_is_not_made(submitter: Client) -> None:
    submitter.post(reverse("admin:api_token_add"), {"name": "laptop"})
    assert not Token.objects.exists()


def test_tokens_of_others_are_neither_seen_nor_revoked(submitter: Client, as_member: As) -> None:
    other = User.objects.create_user("other")
    token, _ = tokens.issue(other, "their laptop", ["read"])
    where = reverse("admin:api_token_changelist")
    assert "their laptop" not in submitter.get(where).content.decode()
    revoke = {"action": "revoke", "_selected_action": [token.pk]}
    submitter.post(where, revoke)
    token.refresh_from_db()
    assert token.revoked_at is None
    as_member("admin").post(where, revoke)
    token.refresh_from_db()
    assert token.revoked_at
