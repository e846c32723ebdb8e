"""A private Redis."""

import redis

from tests.services.service import Service, find_binary

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
appendonly yes
save ""
"""


class Redis(Service):
    """Redis with a password and an append-only file."""

    name = "redis"
    binaries = ("redis-server",)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def is_up(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2)
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        finally:
            client.close()

    def prepare(self) -> None:
        configuration = CONFIGURATION.format(
            port=self.port, password=self.password, folder=self.folder
        )
        (self.folder / "redis.conf").write_text(configuration)

    def command(self) -> list[str]:
        return [str(find_binary("redis-server")), str(self.folder / "redis.conf")]
