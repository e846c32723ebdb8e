"""The private MariaDB, RabbitMQ and Redis that every script needs."""

import os
import sys
from urllib.parse import urlsplit

MARK = "HASHWORLD_TEST_SERVICES"


def require(module: str) -> None:
    """Return when the services run; otherwise become `python -m tests.services run -- module`."""
    if MARK not in os.environ:
        again = [sys.executable, "-m", "tests.services", "run", "--"]
        command = [*again, sys.executable, "-m", module, *sys.argv[1:]]
        os.execv(sys.executable, command)


def make_database(name: str) -> str:
    """An empty database; its URL. The account may make those named test_hashworld_*."""
    # Not at the top: without it the services are missing, and they say so.
    import MySQLdb

    server = urlsplit(os.environ["DATABASE_URL"])
    database = f"test_hashworld_{name}"
    connection = MySQLdb.connect(
        host=server.hostname,
        port=server.port,
        user=server.username,
        password=server.password,
    )
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {database}")
        cursor.execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
    connection.close()
    return server._replace(path=f"/{database}").geturl()
