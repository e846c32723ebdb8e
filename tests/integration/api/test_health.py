"""Whether the process lives and whether it can serve, for whoever asks without a token."""

import importlib

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from hashworld import wsgi
from hashworld.api import health


def test_a_process_that_answers_is_alive_whatever_the_database_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_it_is_ready_when_the_database_has_its_tables(db: None) -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_it_is_not_ready_without_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> int:
        raise DatabaseError("no route to host 10.0.0.5")

    monkeypatch.setattr(health, "_missing", away)
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert "10.0.0.5" not in answer.content.decode()
    assert answer["Retry-After"]


def test_it_is_not_ready_before_the_migrations(db: None) -> None:
    recorder = MigrationRecorder(connection)
    for app, name in recorder.migration_qs.filter(app="nodes").values_list("app", "name")[:2]:
        recorder.record_unapplied(app, name)
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert "lacks 2 migrations: run manage.py migrate" in answer.json()["reason"]


def test_files_of_another_version_that_come_while_it_runs_change_nothing(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    health.known_migrations.cache_clear()
    importlib.reload(wsgi)

    def read(*_: object) -> None:
        pytest.fail("it read the files again")

    monkeypatch.setattr(health, "MigrationLoader", read)
    assert Client().get("/readyz").status_code == 200
