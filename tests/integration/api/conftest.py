"""People of every group, and programs that come in with tokens of theirs."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from hashworld.api import tokens
from hashworld.verbs.rights import Scope
from tests.integration.verbs.conftest import alice, bob, hers, his, operator, person

__all__ = ["alice", "bob", "hers", "his", "operator", "person"]

Program = Callable[..., Client]


def program(user: User, *scopes: str) -> Client:
    """A program with a token of this person; without scopes it has them all."""
    _, secret = tokens.issue(user, "test", scopes or list(Scope))
    return Client(headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
def as_(db: None) -> Program:
    """Make a program that comes in as somebody."""
    return program


def everything(response: Any) -> bytes:
    """The body of an answer, streamed or not."""
    return response.getvalue()
