"""Redis as the compose file runs it: its settings, and the rights of the chatroom's user."""

import hashlib
import shlex
from pathlib import Path

import yaml

from tests.services.redis import Redis
from tests.services.service import find_binary

ROOT = Path(__file__).parents[3]


class ComposedRedis(Redis):
    """Its `url` is the chatroom's; `owners_url` may do everything."""

    @property
    def url(self) -> str:
        return f"redis://chatroom:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def owners_url(self) -> str:
        return f"redis://owner:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        users = (ROOT / "config/redis/users.acl").read_text().splitlines()
        digest = hashlib.sha256(self.password.encode()).hexdigest()
        filled = [
            line.replace("@hashworld@", digest).replace("@chatroom@", digest)
            for line in users
            if line.startswith("user ")
        ]
        owner = f"user owner on #{digest} ~* &* +@all"
        (self.folder / "users.acl").write_text("\n".join([*filled, owner]) + "\n")

    def command(self) -> list[str]:
        compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        words = [_default(word) for word in compose["services"]["redis"]["command"]]
        words[words.index("--aclfile") + 1] = str(self.folder / "users.acl")
        here = shlex.split(f"--bind 127.0.0.1 --port {self.port} --dir {self.folder}")
        return [str(find_binary("redis-server")), *words[1:], *here]


def _default(word: str) -> str:
    """What compose makes of "${NAME:-default}" where there is no NAME."""
    return word.partition(":-")[2].removesuffix("}") if word.startswith("${") else word
