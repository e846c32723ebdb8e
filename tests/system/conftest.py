"""A stage for tests with real processes: nodes, a scheduler, a site and the three ledgers."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from hashworld.embedded.ports import find_free
from hashworld.nodes import lands
from hashworld.tasks import schedules
from tests.chaos import trace
from tests.chaos.broker import Broker, ClusterBroker, EmbeddedBroker
from tests.chaos.ledger import Ledger
from tests.chaos.nodes import Fleet
from tests.chaos.site import HOSTS, Site
from tests.chaos.stage import Stage
from tests.conftest import Footing
from tests.services import Cluster

# Whoever runs the tests in the background of a shell ignores Ctrl-C, and so would all they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

LEASE = 4.0
HEARTBEAT = 1.0


@pytest.fixture
def broker(footing: Footing) -> Iterator[Broker]:
    """The broker of the footing; whatever was done to it, it is back after the test."""
    if footing == "embedded":
        yield EmbeddedBroker(settings.DATA_DIR / "broker.sqlite3")
        return
    cluster = Cluster(Path(os.environ["HASHWORLD_TEST_SERVICES"]))
    yield ClusterBroker(cluster.rabbitmq)
    cluster.start()


@pytest.fixture
def stage(transactional_db: None, settings: Any, tmp_path: Path, broker: Broker) -> Iterator[Stage]:
    """An empty cluster with short leases. Nothing runs yet; all that runs is killed at the end."""
    port = find_free(HOSTS)
    settings.ENV = replace(
        settings.ENV,
        fetch_ports=[port],
        lease_seconds=LEASE,
        heartbeat_seconds=HEARTBEAT,
    )
    lands.make()
    schedules.make()
    trace.install()
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "HASHWORLD_DRAIN_SECONDS": "2",
        "HASHWORLD_FETCH_ALLOW_NETWORKS": "127.0.0.0/8",
        "HASHWORLD_FETCH_PORTS": str(port),
        "HASHWORLD_HEARTBEAT_SECONDS": str(HEARTBEAT),
        "HASHWORLD_LEASE_SECONDS": str(LEASE),
        "HASHWORLD_MAX_TASKS": "64",
    }
    with Site(port) as site, Fleet(tmp_path, environment) as fleet:
        yield Stage(site, fleet, broker, Ledger(site, tmp_path / "acknowledged"), shared_files())
    trace.remove()


def database_url() -> str:
    """The test database, as the environment of another process names it."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def shared_files() -> tuple[Path, ...]:
    """The SQLite files that all processes share."""
    if connection.vendor != "sqlite":
        return ()
    return Path(connection.settings_dict["NAME"]), settings.DATA_DIR / "broker.sqlite3"
