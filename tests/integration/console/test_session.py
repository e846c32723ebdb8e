"""What a proxy is told of who asks."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db


def test_staff_are_let_through(client: Client) -> None:
    client.force_login(User.objects.create_user("anna", is_staff=True))
    answer = client.get("/admin/session/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "no-store" in answer.headers["Cache-Control"]


def test_nobody_else_is(client: Client) -> None:
    assert client.get("/admin/session/").status_code == 401
    client.force_login(User.objects.create_user("bert"))
    assert client.get("/admin/session/").status_code == 401


def test_who_was_blocked_is_not_let_through_any_more(client: Client) -> None:
    anna = User.objects.create_user("anna", is_staff=True)
    client.force_login(anna)
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert client.get("/admin/session/").status_code == 401
