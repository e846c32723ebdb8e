"""How Celery's tasks use the database."""

import pytest
from celery.fixups.django import DjangoWorkerFixup
from celery.signals import task_prerun
from django.db import connection

from hashworld.celery import app

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_task_finds_the_connection_of_the_one_before() -> None:
    connection.ensure_connection()
    used = connection.connection

    DjangoWorkerFixup(app).close_database()
    task_prerun.send(sender=None)

    assert connection.connection is used


def test_a_connection_that_is_too_old_is_closed_before_a_task() -> None:
    connection.ensure_connection()
    connection.close_at = 0.0

    task_prerun.send(sender=None)

    assert connection.connection is None
