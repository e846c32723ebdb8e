"""Whether the process lives and whether it can serve, for whoever asks without a token."""

import pytest
from django.db import DatabaseError
from django.test import Client

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


def test_it_is_not_ready_before_the_migrations(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_missing", lambda: 2)
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert "migrate" in answer.json()["reason"]
