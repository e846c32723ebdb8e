"""Tests of the core drive it by hand: nothing dispatches behind their backs."""

from collections.abc import Callable

import pytest

from hashworld.nodes.models import Node
from hashworld.tasks import dispatcher, requests
from tests.integration.tasks import world
from tests.integration.tasks.world import Postbox


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "nudge", lambda node_id=None: None)
    # Job ids begin again at 1 in every test.
    requests.options.cache_clear()


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
