"""What every test may ask for."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import pytest
from hypothesis import settings

from tests.services import Cluster
from tests.services.service import comes_true

# How long an example takes is a property of the machine and of what else it does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

Footing = Literal["embedded", "cluster"]


class WaitUntil(Protocol):
    def __call__(
        self, condition: Callable[[], object], timeout: float = 60, message: str = ""
    ) -> None: ...


@pytest.fixture(scope="session")
def footing() -> Footing:
    """What HashWorld stands on in this run; `python -m tests.services run` makes it the cluster."""
    return "cluster" if os.environ["HASHWORLD_TEST_FOOTING"] == "cluster" else "embedded"


@pytest.fixture
def services(footing: Footing) -> Iterator[Cluster]:
    """The private servers of the cluster footing; what a test brought down is up again after it."""
    if footing == "embedded":
        pytest.skip("needs the servers of the cluster footing: python -m tests.services run")
    cluster = Cluster(Path(os.environ["HASHWORLD_TEST_SERVICES"]))
    yield cluster
    cluster.start()


@pytest.fixture(scope="session")
def wait_until() -> WaitUntil:
    """Poll a condition every 20 ms; fail with the message when it does not come true in time."""

    def wait(condition: Callable[[], object], timeout: float = 60, message: str = "") -> None:
        if not comes_true(condition, timeout):
            pytest.fail(message or f"{condition!r} did not come true in {timeout} s")

    return wait
