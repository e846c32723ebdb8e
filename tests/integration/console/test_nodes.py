"""The lists of nodes and of the master."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from hashworld.nodes import clock
from hashworld.nodes.leadership import Candidate
from hashworld.nodes.models import Leadership, Node, NodeState

pytestmark = pytest.mark.django_db


def listed(client: Client, model: str) -> str:
    return client.get(reverse(f"admin:nodes_{model}_changelist")).content.decode()


@pytest.mark.parametrize(
    ("state", "silent", "standing"),
    [
        (NodeState.JOINING, 0, "joining"),
        (NodeState.ALIVE, 0, "alive"),
        (NodeState.DRAINING, 0, "draining"),
        (NodeState.ALIVE, 12, "suspected"),
        (NodeState.ALIVE, 60, "dead"),
        (NodeState.LEFT, 60, "left"),
    ],
)
def test_a_node_is_listed_with_how_it_stands(
    root: Client, node: Node, state: str, silent: int, standing: str
) -> None:
    Node.objects.update(state=state, seen_at=clock.now() - timedelta(seconds=silent))
    assert f">{standing}</span>" in listed(root, "node")


def test_the_master_is_listed_with_its_term(root: Client) -> None:
    assert Candidate("rack-7/1f2e3d").run_once()
    page = listed(root, "leadership")
    assert "rack-7 <span" in page
    assert ">leads</span>" in page


def test_a_leadership_that_ran_out_is_said_to_be_over(root: Client) -> None:
    Candidate("rack-7/1f2e3d").run_once()
    Leadership.objects.update(expires_at=clock.now())
    assert ">over</span>" in listed(root, "leadership")
