"""The demo: everything of one machine in a data folder of its own, and a site to fetch."""

import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from django.conf import settings

from hashworld.embedded import ports, roles, welcome
from hashworld.embedded.output import PrefixedOutput
from hashworld.embedded.pages import HOSTS
from hashworld.embedded.supervisor import Child, Supervisor
from hashworld.preparation import prepare
from hashworld.tasks import progress
from hashworld.tasks.display import Display
from hashworld.tasks.models import Job

#: What the reader's shell says of the real HashWorld must not reach the demo.
_FOREIGN = ("HASHWORLD_", "DJANGO_", "CELERY_", "MYSQL_", "DATABASE_URL", "REDIS_URL")
#: The demo has nothing to lose, so its nodes need not be waited for.
_SURROUNDINGS = {"HASHWORLD_NODE_NAME": "demo", "HASHWORLD_DRAIN_SECONDS": "2"}
GRACE = 10.0
#: Seconds in which everything must be up.
START_LIMIT = 60.0
LOG = "demo.log"


class DemoFailed(Exception):
    """The demo cannot show what it should."""


def environment(current: Mapping[str, str], folder: Path, *, with_site: bool) -> dict[str, str]:
    """The environment of the demo's processes.

    With the demo's site, and only then, loopback addresses and the site's port may be fetched.
    """
    result = {name: value for name, value in current.items() if not name.startswith(_FOREIGN)}
    result |= _SURROUNDINGS
    result["HASHWORLD_DATA_DIR"] = str(folder)
    for door in ("WEB", "RPC", "CHAT"):
        result[f"HASHWORLD_{door}_BIND"] = f"127.0.0.1:{ports.find_free()}"
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


@contextmanager
def running(nodes: int, *, with_site: bool) -> Iterator[str]:
    """Everything up while the context lasts; gives what to tell of the administrator.

    The processes write to LOG in the data folder. Raises DemoFailed if one is not up in time.
    """
    user = prepare()
    children = roles.children(nodes, settings.ENV.web_bind)
    if with_site:
        children.append(Child("site", site_command))
    with open(settings.DATA_DIR / LOG, "w", encoding="utf-8") as log:
        output = PrefixedOutput(log, [child.name for child in children])
        with Supervisor(children, output, GRACE):
            _await(lambda: welcome.answers(settings.ENV.web_bind), "the web server")
            if with_site:
                _await(_site_answers, "the demo's site")
            progress.require_node(START_LIMIT)
            yield user


def site_command() -> list[str]:
    """The command line of the demo's site."""
    return [sys.executable, "-m", "hashworld.embedded.site", str(site_port())]


def site_port() -> int:
    """The port of the demo's site: the only one that may be fetched."""
    return int(settings.ENV.fetch_ports[0])


def follow(job: Job, shown: Display, limit: float) -> None:
    """Show progress until the job is finished; DemoFailed when that takes over `limit` seconds."""
    for state in progress.follow(job):
        shown.show(state)
        if state.seconds > limit and not state.finished:
            raise DemoFailed(f"{state.total - state.done:,} pages were not done in {limit:.0f} s")


def last_words(folder: Path, count: int) -> list[str]:
    """The last lines that the processes wrote."""
    log = folder / LOG
    if not log.exists():
        return []
    with log.open(encoding="utf-8") as text:
        return list(deque(text, maxlen=count))


def _await(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise DemoFailed(f"{what} was not up within {START_LIMIT:.0f} s")
        time.sleep(0.1)


def _site_answers() -> bool:
    with socket.socket() as connection:
        return connection.connect_ex((HOSTS[0], site_port())) == 0
