"""Nodes, and a broker, to try the core with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hashworld.nodes.models import Node
from tests.integration.tasks import world
from tests.integration.tasks.desk import Desk
from tests.integration.tasks.world import Postbox


@pytest.fixture
def nodes(db: None) -> Callable[[str], Node]:
    """Let nodes join, by name."""
    return world.node


@pytest.fixture
def node(transactional_db: None) -> Node:
    """One node that is alone in the cluster and owns all lands."""
    return world.node("one")


@pytest.fixture
def postbox() -> Postbox:
    """A broker that only remembers what was published."""
    return Postbox()


@pytest.fixture
def desk(node: Node, tmp_path: Path) -> Desk:
    """The writer and the renewer of that node, with a folder for its packs."""
    return Desk(node, tmp_path)
