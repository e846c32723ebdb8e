"""What an operator tells nodes from their list."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from hashworld.nodes import control
from hashworld.nodes.errors import NoAnswer
from hashworld.nodes.models import Node
from tests.integration.console.work import EVIL, As

pytestmark = pytest.mark.django_db
LIST = reverse("admin:nodes_node_changelist")


def act(client: Client, node: Node, action: str, **data: str) -> str:
    chosen = {"action": action, "_selected_action": [node.pk], **data}
    return client.post(LIST, chosen, follow=True).content.decode()


def test_an_operator_pauses_a_node_with_a_reason(as_member: As, node: Node) -> None:
    operator = as_member("operator")
    told = act(operator, node, "pause", reason=f"noisy {EVIL}")
    assert "Paused: berlin-1." in told
    assert "paused: noisy &lt;script&gt;" in told
    assert "reason: it is longer than 200" in act(operator, node, "pause", reason="x" * 201)
    assert "No longer paused: berlin-1." in act(operator, node, "unpause")
    node.refresh_from_db()
    assert (node.paused, node.pause_reason) == (False, "")


@pytest.mark.parametrize(
    ("action", "told"), [("drain", "Draining: berlin-1."), ("resume", "Resumed: berlin-1.")]
)
def test_an_operator_drains_and_resumes_a_node(
    as_member: As, node: Node, monkeypatch: pytest.MonkeyPatch, action: str, told: str
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(control, action, asked.append)
    assert told in act(as_member("operator"), node, action)
    assert asked == ["berlin-1"]


def test_a_node_that_does_not_answer_is_told_with_its_name(
    as_member: As, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(name: str) -> None:
        raise NoAnswer(f"node {name} did not answer in 3 s")

    monkeypatch.setattr(control, "drain", silent)
    assert "node berlin-1 did not answer in 3 s" in act(as_member("operator"), node, "drain")


def test_a_node_is_resized_to_a_number_and_nothing_else(
    as_member: As, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(control, "set_max_tasks", lambda *to: asked.append(to))
    operator = as_member("operator")
    for text in ("", "many", "0", "10001"):
        assert "max_tasks: it must be" in act(operator, node, "resize", max_tasks=text)
    assert "Resized: berlin-1." in act(operator, node, "resize", max_tasks="300")
    assert asked == [("berlin-1", 300)]


@pytest.mark.parametrize("action", ["pause", "unpause", "drain", "resume", "resize"])
def test_who_may_only_look_is_offered_nothing(as_member: As, node: Node, action: str) -> None:
    viewer = as_member("viewer")
    assert f'value="{action}"' not in viewer.get(LIST).content.decode()
    act(viewer, node, action, reason="x")
    node.refresh_from_db()
    assert not node.paused
