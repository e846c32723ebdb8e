"""A running server of the remote door, people with tokens, and clients of the contract."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from django.conf import settings
from django.contrib.auth.models import User

from hashworld.api import tokens
from hashworld.api.rpc.server import Server
from hashworld.verbs.rights import Scope
from tests.integration.api.rpc.contract import Client
from tests.integration.people import Member

Connect = Callable[..., Client]


@pytest.fixture
def server(transactional_db: None) -> Iterator[Server]:
    server = Server(dataclasses.replace(settings.ENV, rpc_threads=8), "127.0.0.1:0")
    server.start()
    yield server
    server.stop(5)


@pytest.fixture
def channel(server: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel


def secret(user: User, *scopes: str) -> str:
    """A new token of a person; with all scopes unless told otherwise."""
    return tokens.issue(user, "a test", scopes or [scope.value for scope in Scope])[1]


@pytest.fixture
def connect(channel: grpc.Channel) -> Connect:
    """A client of the contract with a token, or with none."""

    def connect(token: str = "", **more: Any) -> Client:
        return Client(channel, token, **more)

    return connect


@pytest.fixture
def alices(connect: Connect, alice: User) -> Client:
    """A client with a token of Alice's, a submitter."""
    return connect(secret(alice))


@pytest.fixture
def admin(person: Member) -> User:
    return person("admin", "root")
