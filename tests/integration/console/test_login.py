"""Guessing passwords: five wrong ones, and an account is shut from that address for a while."""

from datetime import timedelta

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


def sign_in(password: str, address: str = "192.0.2.1", name: str = "carol") -> int:
    form = {"username": name, "password": password}
    answer = Client(REMOTE_ADDR=address).post(reverse("admin:login"), form)
    return answer.status_code


def test_who_guesses_is_told_to_wait_though_the_last_guess_is_right(person: User) -> None:
    guesses = [sign_in(f"guess-{number}") for number in range(5)]
    assert guesses == [200] * 4 + [429]
    assert sign_in(PASSWORD) == 429


def test_the_owner_comes_in_from_elsewhere_meanwhile(person: User) -> None:
    for number in range(6):
        sign_in(f"guess-{number}")
    assert sign_in(PASSWORD, "192.0.2.2") == 302


def test_the_wait_ends(person: User) -> None:
    for number in range(5):
        sign_in(f"guess-{number}")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert sign_in(PASSWORD) == 302


def test_a_success_forgets_the_failures(person: User) -> None:
    for _ in range(3):
        assert [sign_in("wrong") for _ in range(4)] == [200] * 4
        assert sign_in(PASSWORD) == 302
