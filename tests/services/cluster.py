"""The three services together."""

import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.services.mariadb import MariaDB
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis
from tests.services.service import Service

KINDS: dict[str, type[Service]] = {kind.name: kind for kind in (MariaDB, RabbitMQ, Redis)}


class Cluster:
    """The services of one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mariadb = MariaDB(root)
        self.rabbitmq = RabbitMQ(root)
        self.redis = Redis(root)

    def services(self) -> list[Service]:
        return [self.mariadb, self.rabbitmq, self.redis]

    def made(self) -> list[Service]:
        """Those that were ever started in this folder."""
        return [service for service in self.services() if service.folder.exists()]

    def start(self, names: Iterable[str] | None = None) -> None:
        """Start the named services side by side; without names, those made before."""
        chosen = self.made() if names is None else [s for s in self.services() if s.name in names]
        in_parallel([service.start for service in chosen])

    def stop(self) -> None:
        """Stop whatever was started."""
        in_parallel([service.stop for service in self.made()])

    def remove(self) -> None:
        """Stop whatever was started and delete the folder."""
        self.stop()
        shutil.rmtree(self.root)

    def environment(self) -> dict[str, str]:
        """The variables that send HashWorld's settings to these services."""
        names = {"mariadb": "DATABASE_URL", "rabbitmq": "CELERY_BROKER_URL", "redis": "REDIS_URL"}
        return {
            **{names[service.name]: service.url for service in self.made()},
            "HASHWORLD_TEST_FOOTING": "cluster",
            "HASHWORLD_TEST_SERVICES": str(self.root),
        }


def in_parallel(actions: Iterable[Callable[[], None]]) -> None:
    with ThreadPoolExecutor() as pool:
        for outcome in [pool.submit(action) for action in actions]:
            outcome.result()
