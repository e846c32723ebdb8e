"""Integration tests drive the core by hand: nothing dispatches behind their backs."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import TransactionTestCase, override_settings

from hashworld.tasks import dispatcher, requests
from tests.integration.database import empty


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> Iterator[None]:
    """Empty after a test what it has used; Django truncates all tables and fills KEPT anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _empty)
        yield


@pytest.fixture(scope="session", autouse=True)
def _cheap() -> Iterator[None]:
    """Hash passwords with little work, and let no new client look at every static file."""
    cheap = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(PASSWORD_HASHERS=cheap, WHITENOISE_USE_FINDERS=False):
        yield


def _empty(test: Any) -> None:
    for alias in test._databases_names(include_mirrors=False):
        empty(alias)


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "nudge", lambda node_id=None: None)
    # What a test rolls back leaves its ids to the next.
    requests.forget()
