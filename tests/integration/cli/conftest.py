"""A command run on the local database, and the same one run on a site over REST."""

import dataclasses
import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from hashworld.api import tokens
from hashworld.verbs.rights import Scope
from tests.integration.verbs.conftest import alice, bob, hers, his, operator, person

__all__ = ["alice", "bob", "hers", "his", "operator", "person"]


class Ended(Exception):
    """A command that did not end well."""

    def __init__(self, code: int, text: str, out: str) -> None:
        super().__init__(text)
        self.code, self.out = code, out


Run = Callable[..., str]


@pytest.fixture(params=["local", "remote"])
def run(request: pytest.FixtureRequest, transactional_db: None, alice: User, settings: Any) -> Run:
    """Run a command as Alice; what it printed. Raises Ended."""
    more: dict[str, Any] = {"person": alice.username}
    if request.param == "remote":
        site = request.getfixturevalue("live_server")
        secret = tokens.issue(alice, "a test", [scope.value for scope in Scope])[1]
        settings.ENV = dataclasses.replace(settings.ENV, url=site.url, token=secret)
        more = {}

    def run(name: str, *words: str) -> str:
        return called(name, *words, **more)

    return run


def called(name: str, *words: str, **more: Any) -> str:
    out = StringIO()
    try:
        call_command(name, *words, stdout=out, **more)
    except CommandError as error:
        raise Ended(error.returncode, str(error), out.getvalue()) from error
    except SystemExit as error:
        raise Ended(int(error.code or 0), "", out.getvalue()) from error
    return out.getvalue()


def documents(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
