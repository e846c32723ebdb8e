"""A term to fire under, and recurring jobs."""

from collections.abc import Callable
from typing import Any

import pytest

from hashworld.nodes.leadership import Candidate
from hashworld.recurring import changes
from hashworld.recurring.models import Recurring
from hashworld.recurring.template import Template, Timing
from tests.integration.recurring.world import HOURLY

Make = Callable[..., Recurring]


@pytest.fixture
def master(transactional_db: None) -> Candidate:
    """A candidate that leads."""
    candidate = Candidate("here/1")
    assert candidate.run_once()
    return candidate


@pytest.fixture
def term(master: Candidate) -> int:
    """The term that leads."""
    assert master.term
    return master.term


@pytest.fixture
def make(transactional_db: None) -> Make:
    """Make a recurring job of two pages, hourly unless told."""

    def make(timing: Timing = HOURLY, urls: str = "", **columns: Any) -> Recurring:
        pages = urls or "http://a.example/1\nhttp://a.example/2\n"
        return changes.create(Template("Pages", pages, **columns), timing)

    return make
