"""Integration tests drive the core by hand: nothing dispatches behind their backs."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import TransactionTestCase

from hashworld.tasks import dispatcher, requests

#: What migrating has filled, and no test changes.
KEPT = {"auth_permission", "django_content_type", "django_migrations"}


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> Iterator[None]:
    """Empty after a test what it has used; Django truncates all tables and fills KEPT anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _empty)
        yield


def _empty(test: Any) -> None:
    for alias in test._databases_names(include_mirrors=False):
        connection = connections[alias]
        tables = set(connection.introspection.django_table_names(only_existing=True)) - KEPT
        asked = (
            f"SELECT '{table}' FROM (SELECT 1) AS one WHERE EXISTS (SELECT 1 FROM {table})"
            for table in sorted(tables)
        )
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(asked))
            used = [table for (table,) in cursor.fetchall()]
        with transaction.atomic(alias), connection.constraint_checks_disabled():
            with connection.cursor() as cursor:
                for table in used:
                    cursor.execute(f"DELETE FROM {table}")


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "nudge", lambda node_id=None: None)
    # Job ids begin again at 1 in every test.
    requests.options.cache_clear()
