"""A private Redis for the whole session, empty for each test and as the compose file runs it.

Tests here may be coroutines.
"""

from collections.abc import Iterator

import pytest
import redis

from tests.chatting import MakeBus, in_redis, memory, run_async
from tests.integration.chatroom.composed import ComposedRedis
from tests.services.redis import Redis


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    return run_async(pyfuncitem) or None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposedRedis]:
    server = ComposedRedis(tmp_path_factory.mktemp("chat-redis"))
    if server.missing():
        pytest.skip("this machine has no Redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def empty_redis(server: ComposedRedis) -> Redis:
    server.start()
    with redis.Redis.from_url(server.owners_url) as client:
        client.flushall()
    return server


@pytest.fixture(params=["memory", "redis"])
def make_bus(request: pytest.FixtureRequest) -> MakeBus:
    if request.param == "memory":
        return memory()
    return in_redis(request.getfixturevalue("empty_redis").url)
