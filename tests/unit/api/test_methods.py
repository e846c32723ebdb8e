"""No method of the remote door is open unless somebody wrote down for whom."""

import pytest

from hashworld.api.rpc import methods
from hashworld.api.rpc.access import Caller, Rule
from hashworld.api.rpc.methods import Method
from hashworld.api.rpc.server import SERVICES, NotServed, Server
from hashworld.verbs.errors import Forbidden
from hashworld.verbs.rights import Scope


def test_every_method_of_the_proto_is_served_under_a_rule() -> None:
    assert SERVICES
    assert methods.missing() == []
    assert methods.REGISTER.keys() == methods.described().keys()


def test_a_method_without_a_rule_keeps_the_server_from_starting(
    monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    open_to_nobody = Method(lambda call, request: request, Rule())
    monkeypatch.setitem(methods.REGISTER, "Tasks.GetTask", open_to_nobody)
    with pytest.raises(NotServed, match=r"Tasks\.GetTask"):
        Server(settings.ENV)  # type: ignore[attr-defined]


def test_a_method_that_nobody_serves_keeps_the_server_from_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(methods.REGISTER, "Tasks.Why")
    assert methods.missing() == ["Tasks.Why"]


def test_registered_without_a_verb_nobody_may_call() -> None:
    with pytest.raises(Forbidden):
        Rule().require(Caller(node="n"))


def test_what_is_for_people_is_not_for_nodes() -> None:
    with pytest.raises(Forbidden, match="for people"):
        Rule(Scope.READ).require(Caller(node="n"))


def test_a_function_that_is_no_verb_opens_no_method() -> None:
    with pytest.raises(KeyError):
        methods.serves("Tasks.GetTask", len)
