"""Preparing an installation, alone and by several at once."""

import threading
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connection

from hashworld import preparation
from hashworld.nodes.models import Land
from tests.conftest import WaitUntil

pytestmark = pytest.mark.django_db(transaction=True)


def prepare(**options: Any) -> str:
    told = StringIO()
    call_command("prepare", stdout=told, **options)
    return told.getvalue()


def test_everything_is_made_and_the_password_told_once() -> None:
    assert "Password (shown this once): " in prepare()
    assert User.objects.get().is_superuser
    assert Group.objects.exists()
    assert Land.objects.count() == 1024


def test_a_second_time_changes_nothing() -> None:
    prepare()
    before = User.objects.get().password
    assert prepare() == "The user admin exists already; nothing was changed.\n"
    assert User.objects.get().password == before


def test_who_comes_while_another_prepares_waits_for_it(wait_until: WaitUntil) -> None:
    entered = threading.Event()

    def enter() -> None:
        with preparation.alone():
            entered.set()
        connection.close()

    second = threading.Thread(target=enter)
    with preparation.alone():
        second.start()
        assert not entered.wait(0.5)
    wait_until(entered.is_set, message="the lock was not given back")
    second.join()


def test_who_waits_too_long_says_so_and_changes_nothing() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("a file's lock is waited for as long as its holder lives")
    with preparation.alone(), pytest.raises(CommandError, match="preparing this database for 1 s"):
        prepare(patience=1)
    assert not User.objects.exists()
