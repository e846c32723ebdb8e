"""What is told to nodes, and what each of them makes of it. Real nodes: tests/system."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError

from hashworld.nodes import control, heartbeat
from hashworld.nodes.errors import InvalidValue, NoAnswer, UnknownNode
from hashworld.nodes.models import Node, NodeState

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]

Broadcast = dict[str, Any]


@pytest.fixture
def replies(monkeypatch: pytest.MonkeyPatch) -> list[Broadcast]:
    """The replies of the nodes, which are handed over one by one."""
    given: list[Broadcast] = []

    def broadcast(command: str, arguments: dict[str, Any], **options: Any) -> list[Broadcast]:
        for body in given:
            if callback := options.get("callback"):
                callback(body)
        return given

    monkeypatch.setattr(control.app.control, "broadcast", broadcast)
    return given


def worker(name: str = "one") -> Any:
    return SimpleNamespace(node=SimpleNamespace(name=name))


def test_only_the_node_that_is_meant_does_it() -> None:
    done: list[str] = []

    def act(name: str) -> dict[str, Any]:
        done.append(name)
        return {"did": name}

    assert control.answer(worker("one"), "one", lambda: act("one")) == {"node": "one", "did": "one"}
    assert control.answer(worker("one-2"), "one", lambda: act("one-2")) is None
    assert control.answer(SimpleNamespace(node=None), "one", lambda: act("none")) is None
    assert control.answer(worker("two"), "", lambda: act("two")) == {"node": "two", "did": "two"}
    assert done == ["one", "two"]


def test_what_a_node_could_not_do_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> dict[str, Any]:
        raise OperationalError(2006, "gone")

    told = control.answer(worker(), "one", fail)
    assert told == {"node": "one", "error": "OperationalError: (2006, 'gone')"}
    assert "a control command failed" in caplog.text


def test_the_answer_of_the_node_is_returned_and_no_other(replies: list[Broadcast]) -> None:
    heartbeat.join("one", "i1", 8)
    replies += [
        {"two.1@host": {"node": "two", "max_tasks": 1}},
        {"three.1@host": None},
        {"one.1@host": {"node": "one", "max_tasks": 8}},
        {"one.1@host": {"node": "one", "max_tasks": 9}},
    ]
    assert control.ping("one") == {"node": "one", "max_tasks": 8}


def test_a_node_that_does_not_answer_is_named(replies: list[Broadcast]) -> None:
    heartbeat.join("one", "i1", 8)
    replies += [{"two.1@host": {"node": "two"}}]
    with pytest.raises(NoAnswer, match="node one did not answer in 3 s"):
        control.drain("one")


def test_a_node_that_could_not_is_named_with_its_reason(replies: list[Broadcast]) -> None:
    heartbeat.join("one", "i1", 8)
    replies += [{"one.1@host": {"node": "one", "error": "it is starting or stopping"}}]
    with pytest.raises(NoAnswer, match="node one could not: it is starting or stopping"):
        control.resume("one")


def test_a_broker_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat.join("one", "i1", 8)

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("no broker")

    monkeypatch.setattr(control.app.control, "broadcast", refuse)
    with pytest.raises(NoAnswer, match="node one was not asked, for the broker is away: no broker"):
        control.beat("one")


def test_a_node_that_nobody_knows_is_named_and_nobody_is_asked(replies: list[Broadcast]) -> None:
    replies += [{"x.1@host": {"node": "x"}}]
    with pytest.raises(UnknownNode, match="no node 'x'"):
        control.reap("x")


@pytest.mark.parametrize("value", [0, 10_001, -1, True, "12", 1.5, None])
def test_a_size_that_a_node_cannot_have_is_refused_by_both_sides(
    replies: list[Broadcast], value: Any
) -> None:
    heartbeat.join("one", "i1", 8)
    replies += [{"one.1@host": {"node": "one"}}]
    with pytest.raises(InvalidValue, match="max_tasks: it must be a whole number from 1 to 10000"):
        control.set_max_tasks("one", value)
    told = control.answer(worker(), "one", lambda: {"size": control.check_max_tasks(value)})
    assert told is not None
    assert "max_tasks: it must be" in told["error"]


def test_all_that_answer_are_listed_by_name(replies: list[Broadcast]) -> None:
    replies += [{"b": {"node": "two"}}, {"x": None}, {"a": {"node": "one"}}]
    assert [reply["node"] for reply in control.ping_all()] == ["one", "two"]


def test_a_node_that_drained_says_that_it_takes_work_again() -> None:
    node = heartbeat.join("one", "i1", 8)
    heartbeat.drain(node)
    heartbeat.resume(node)
    heartbeat.resize(node, 99)
    found = Node.objects.get()
    assert (found.state, found.max_tasks) == (NodeState.ALIVE, 99)


def test_a_node_that_left_or_was_replaced_does_not_come_back_by_a_resume() -> None:
    old = heartbeat.join("one", "i1", 8)
    heartbeat.leave(old)
    heartbeat.resume(old)
    assert Node.objects.get().state == NodeState.LEFT
    heartbeat.drain(heartbeat.join("one", "i2", 8))
    heartbeat.resume(old)
    heartbeat.resize(old, 99)
    found = Node.objects.get()
    assert (found.state, found.max_tasks) == (NodeState.DRAINING, 8)
