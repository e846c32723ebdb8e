"""Every method is tried by those who may not call it; the list is the proto's own."""

from datetime import timedelta
from typing import Any

import grpc
import pytest
from django.contrib.auth.models import User
from google.protobuf.message_factory import GetMessageClass

from hashworld.api import tokens
from hashworld.api.models import Token
from hashworld.api.rpc import methods, node_tokens
from hashworld.nodes import clock
from hashworld.tasks.models import Job, Task
from hashworld.verbs.rights import Scope
from tests.integration.api.rpc.conftest import secret
from tests.integration.people import Member

pytestmark = pytest.mark.django_db(transaction=True)
ALL = sorted(methods.described())
DENIED = grpc.StatusCode.PERMISSION_DENIED
UNKNOWN = grpc.StatusCode.UNAUTHENTICATED


def code(
    channel: grpc.Channel, called: str, token: str | None, /, **fields: Any
) -> grpc.StatusCode:
    """How a call ends; `fields` are those of its request."""
    method = methods.described()[called]
    make: Any = GetMessageClass(method.input_type)
    known = {k: v for k, v in fields.items() if k in method.input_type.fields_by_name}
    open_ = getattr(
        channel,
        f"{'stream' if method.client_streaming else 'unary'}"
        f"_{'stream' if method.server_streaming else 'unary'}",
    )
    stub = open_(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=make.SerializeToString,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    request = make(**known)
    metadata = [("authorization", token)] if token is not None else []
    try:
        answer = stub(
            iter([request]) if method.client_streaming else request, timeout=60, metadata=metadata
        )
        if method.server_streaming:
            next(answer)
            answer.cancel()
    except grpc.RpcError as error:
        found: grpc.StatusCode = error.code()
        return found
    return grpc.StatusCode.OK


def test_nobody_is_let_in(channel: grpc.Channel, alice: User) -> None:
    expired = secret(alice)
    Token.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    revoked_token, revoked = tokens.issue(alice, "gone", ["read"])
    tokens.revoke(alice, revoked_token.pk)
    for token in (None, "", "Bearer", "Bearer wrong", "Bearer hw_wrong", "Basic YTpi"):
        assert {code(channel, name, token) for name in ALL} == {UNKNOWN}, token
    for token in (expired, revoked):
        assert {code(channel, name, f"Bearer {token}") for name in ALL} == {UNKNOWN}


def test_a_closed_account_is_not_let_in(channel: grpc.Channel, alice: User) -> None:
    token = secret(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert code(channel, "Tasks.ListTask", f"Bearer {token}") == UNKNOWN


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_opens_what_its_scope_covers_and_nothing_else(
    channel: grpc.Channel, admin: User, scope: Scope
) -> None:
    token = f"Bearer {secret(admin, scope.value)}"
    for name in ALL:
        covered = methods.REGISTER[name].rule.scope == scope
        if not covered:
            assert code(channel, name, token) == DENIED, name
        elif name != "Tasks.WatchEvents":  # it would wait for one
            assert code(channel, name, token) not in (DENIED, UNKNOWN), name


def test_a_node_opens_what_is_for_nodes_and_nothing_else(
    channel: grpc.Channel, admin: User
) -> None:
    token = f"Bearer {node_tokens.issue(admin, 'n')}"
    for name in ALL:
        found = code(channel, name, token, name="n", who="n")
        assert (found == DENIED) is not methods.REGISTER[name].rule.nodes, name


def test_nobody_in_no_group_may_anything(channel: grpc.Channel, person: Member, his: Job) -> None:
    token = f"Bearer {secret(person('nobody'))}"
    task = str(Task.objects.get(job=his).pk)
    for name in ALL:
        given: dict[str, Any] = {
            "name": "n",
            "who": "n",
            "host": "a.example",
            "target": "https://a.example/",
        }
        match methods.described()[name].input_type.name:
            case "ID" | "Watch":
                given |= {"id": [task]}
            case "JobID":
                given |= {"id": his.pk}
            case "Secret":
                given = {"sec_code": "x"}
            case "Submission":
                given = {"target": ["https://a.example/"]}
        assert code(channel, name, token, **given) == DENIED, name


def test_another_persons_work_is_not_there(channel: grpc.Channel, alice: User, his: Job) -> None:
    token = f"Bearer {secret(alice)}"
    task = str(Task.objects.get(job=his).pk)
    missing = grpc.StatusCode.NOT_FOUND
    for name in ("Tasks.GetTask", "Tasks.GetTaskResult", "Tasks.Why", "Tasks.WatchTasks"):
        assert code(channel, name, token, id=[task]) == missing, name
    for name in ("Tasks.GetJob", "Tasks.KillJob", "Tasks.RetryJob"):
        assert code(channel, name, token, id=his.pk) == missing, name
    for name in ("Tasks.WatchEvents", "Tasks.WatchTasks"):
        assert code(channel, name, token, job=his.pk) == missing, name


def test_an_authorization_that_is_given_twice_is_refused(
    channel: grpc.Channel, alice: User
) -> None:
    token = secret(alice)
    call: Any = channel.unary_unary("/communicate.Tasks/ListTask")
    twice = [("authorization", f"Bearer {token}"), ("authorization", "Bearer other")]
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", metadata=twice, timeout=60)
    assert caught.value.code() == UNKNOWN
