"""Guessing passwords: five wrong ones, and an account is shut from that address for a while."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

PASSWORD = "correct-horse-battery"

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    return User.objects.create_user("carol", password=PASSWORD, is_staff=True)


def sign_in(password: str, address: str = "192.0.2.1", name: str = "carol", by: str = "") -> int:
    form = {"username": name, "password": password}
    client = Client(REMOTE_ADDR=by or address, **({"HTTP_X_FORWARDED_FOR": address} if by else {}))
    return client.post(reverse("admin:login"), form).status_code


def test_who_guesses_is_told_to_wait_though_the_last_guess_is_right(person: User) -> None:
    guesses = [sign_in(f"guess-{number}") for number in range(5)]
    assert guesses == [200] * 4 + [429]
    assert sign_in(PASSWORD) == 429


def test_the_owner_comes_in_from_elsewhere_meanwhile(person: User) -> None:
    for number in range(6):
        sign_in(f"guess-{number}")
    assert sign_in(PASSWORD, "192.0.2.2") == 302


def test_behind_a_proxy_only_the_one_who_guesses_waits(person: User, settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["172.16.0.0/12"]
    for number in range(6):
        sign_in(f"guess-{number}", by="172.18.0.5")
    assert sign_in(PASSWORD, by="172.18.0.5") == 429
    assert sign_in(PASSWORD, "192.0.2.2", by="172.18.0.5") == 302


def test_who_is_no_proxy_cannot_guess_as_somebody_else(person: User) -> None:
    guesses = [
        sign_in(f"guess-{number}", f"203.0.113.{number}", by="192.0.2.1") for number in range(5)
    ]
    assert guesses == [200] * 4 + [429]


def test_the_wait_ends(person: User) -> None:
    for number in range(5):
        sign_in(f"guess-{number}")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert sign_in(PASSWORD) == 302


def test_a_success_forgets_the_failures(person: User) -> None:
    for _ in range(3):
        assert [sign_in("wrong") for _ in range(4)] == [200] * 4
        assert sign_in(PASSWORD) == 302
