"""The demo's surroundings: a data folder of its own, free ports, and an environment to match."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from hashworld.embedded import ports
from hashworld.embedded.pages import HOSTS

#: What the reader's shell says of the real HashWorld must not reach the demo.
_FOREIGN = ("HASHWORLD_", "DJANGO_", "CELERY_", "MYSQL_", "DATABASE_URL", "REDIS_URL")
#: The demo has nothing to lose, so its nodes need not be waited for.
DRAIN_SECONDS = "2"


def environment(current: Mapping[str, str], folder: Path, *, with_site: bool) -> dict[str, str]:
    """The environment of the demo's processes.

    With the demo's site, and only then, loopback addresses and the site's port may be fetched.
    """
    result = {name: value for name, value in current.items() if not name.startswith(_FOREIGN)}
    result |= {
        "HASHWORLD_DATA_DIR": str(folder),
        "HASHWORLD_WEB_BIND": f"127.0.0.1:{ports.find_free()}",
        "HASHWORLD_DRAIN_SECONDS": DRAIN_SECONDS,
        "HASHWORLD_NODE_NAME": "demo",
    }
    if with_site:
        result["HASHWORLD_FETCH_ALLOW_NETWORKS"] = "127.0.0.0/8"
        result["HASHWORLD_FETCH_PORTS"] = str(ports.find_free(HOSTS))
    return result


def restart(folder: Path, *, with_site: bool) -> NoReturn:
    """Become this same command in the demo's surroundings.

    The settings are read once per process, so they cannot be changed in this one.
    """
    variables = environment(os.environ, folder, with_site=with_site)
    arguments = [*sys.orig_argv[1:], "--within", str(folder)]
    os.execve(sys.executable, [sys.executable, *arguments], variables)  # noqa: S606 - no shell
