"""Whole transactions, tried again when the database chose them as a deadlock's victim."""

import random
from collections.abc import Callable
from functools import wraps
from threading import Event
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

TRIES = 5
#: MySQL's and MariaDB's deadlock, lock wait timeout, and row changed since read.
_TRANSIENT = frozenset({1213, 1205, 1020})


class Overtaken(OperationalError):
    """What a transaction was built on was changed by another before it could commit."""


def retried(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` as one transaction; begin again when it lost to another, at most TRIES times.

    Inside another transaction the error passes through: only the outermost can begin again.
    """

    @wraps(function)
    def whole(*args: P.args, **kwargs: P.kwargs) -> R:
        for tries_left in reversed(range(TRIES)):
            try:
                with transaction.atomic():
                    return function(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not tries_left or not transient(error):
                    raise
                Event().wait(random.uniform(0.005, 0.05))  # noqa: S311 - spreads the retries
        raise AssertionError("unreachable")

    return whole


def transient(error: OperationalError) -> bool:
    """Whether beginning the transaction again may succeed."""
    return isinstance(error, Overtaken) or (bool(error.args) and error.args[0] in _TRANSIENT)
