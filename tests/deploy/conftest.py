"""Stacks for the tests that need an engine."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.deploy.command import run
from tests.deploy.site import Site
from tests.deploy.stack import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Builds and upgrades take their time."""
    for item in items:
        item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """A Docker engine that answers."""
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.fail("needs a Docker engine that this user may use")


@pytest.fixture(scope="session")
def images(engine: None) -> tuple[str, str]:
    """Two versions: the same code under two names, so that one is another to the engine."""
    builder = Stack("hwtest", 9443)
    for tag in ("test-one", "test-two"):
        builder.make("images", TAG=tag)
    return "test-one", "test-two"


@pytest.fixture(scope="module")
def stack(images: tuple[str, str]) -> Iterator[Stack]:
    """A stack of the first version that is up."""
    stack = Stack("hwtest", 9443)
    stack.remove()
    stack.said = stack.make("up", TAG=images[0], WORKERS=1)  # type: ignore[attr-defined]
    yield stack
    stack.remove()


@pytest.fixture
def site(stack: Stack) -> Iterator[Site]:
    """A site beside it."""
    with stack.site() as site:
        yield site


@pytest.fixture(scope="session")
def broken(images: tuple[str, str]) -> str:
    """A version whose web listens where nobody asks."""
    first, _ = images
    dockerfile = f"FROM hashworld/core:{first}\nENV HASHWORLD_WEB_BIND=127.0.0.1:9\n"
    run("docker", "build", "-q", "-t", "hashworld/core:test-broken", "-", input=dockerfile)
    for name in ("chatroom", "nginx"):
        run("docker", "tag", f"hashworld/{name}:{first}", f"hashworld/{name}:test-broken")
    return "test-broken"
