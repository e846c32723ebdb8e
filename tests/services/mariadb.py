"""A private MariaDB."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from tests.services.service import Service, ServiceError, find_binary

# innodb_flush_log_at_trx_commit=1: a commit is on disk when it answers, as production has it.
CONFIGURATION = """\
[mariadbd]
datadir = {folder}/data
# A server that starts removes temporary tables of others from a folder that it shares with them.
tmpdir = {folder}
port = {port}
bind-address = 127.0.0.1
# Relative to datadir, because a socket's path may have no more than 107 bytes.
socket = socket
pid-file = {folder}/pid
init-file = {folder}/init.sql
skip-name-resolve
character-set-server = utf8mb4
collation-server = utf8mb4_unicode_ci
innodb_flush_log_at_trx_commit = 1
innodb_buffer_pool_size = 128M
"""

# Django's test runner makes databases named test_hashworld and, in parallel, test_hashworld_gw0...
ACCOUNT = r"""
CREATE DATABASE IF NOT EXISTS hashworld CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS hashworld@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON hashworld.* TO hashworld@'127.0.0.1';
GRANT ALL ON `test\_hashworld%`.* TO hashworld@'127.0.0.1';
CREATE USER IF NOT EXISTS administrator@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON *.* TO administrator@'127.0.0.1';
"""


class MariaDB(Service):
    """MariaDB with an empty database and a user, both named hashworld."""

    name = "mariadb"
    binaries = ("mariadbd", "mariadb-install-db")

    @property
    def url(self) -> str:
        return f"mysql://hashworld:{self.password}@127.0.0.1:{self.port}/hashworld"

    def is_up(self) -> bool:
        import MySQLdb

        try:
            self.connect(connect_timeout=2, read_timeout=2).close()
        except MySQLdb.OperationalError:
            return False
        return True

    @contextmanager
    def administer(self) -> Iterator[Any]:
        """A cursor that commits at once, of an account that is let in when nobody else is."""
        with closing(self.connect("administrator")) as connection:
            connection.autocommit(True)
            yield connection.cursor()

    def connect(self, user: str = "hashworld", **options: Any) -> Any:
        """A new connection; raises MySQLdb.OperationalError."""
        import MySQLdb  # not at the top: the package is left out where there is no compiler

        return MySQLdb.connect(
            host="127.0.0.1", port=self.port, user=user, password=self.password, **options
        )

    @classmethod
    def missing(cls) -> list[str]:
        try:
            import MySQLdb  # noqa: F401
        except ImportError:
            return ["mysqlclient", *super().missing()]
        return super().missing()

    def prepare(self) -> None:
        configuration = CONFIGURATION.format(folder=self.folder, port=self.port)
        (self.folder / "my.cnf").write_text(configuration)
        (self.folder / "init.sql").write_text(ACCOUNT.format(password=self.password))
        done = subprocess.run(
            [
                str(find_binary("mariadb-install-db")),
                "--no-defaults",
                f"--datadir={self.folder / 'data'}",
                f"--tmpdir={self.folder}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                *as_root(),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServiceError(f"mariadb-install-db failed: {done.stdout}{done.stderr}")

    def command(self) -> list[str]:
        return [
            str(find_binary("mariadbd")),
            f"--defaults-file={self.folder / 'my.cnf'}",
            *as_root(),
        ]


def as_root() -> list[str]:
    """MariaDB refuses to run as root unless told so."""
    return ["--user=root"] if os.getuid() == 0 else []
