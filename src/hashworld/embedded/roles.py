"""The command line of each role; systemd units and the compose file start the same ones."""

import os
import sys
from functools import partial

from django.conf import settings

from hashworld.embedded.supervisor import Child

#: The web server is one process: it waits for the database more than it computes.
WEB_THREADS = 8
#: A node's Celery threads take leases and serve the control queue; its engine does the fetching.
NODE_THREADS = 2
#: How many nodes one machine may run: SQLite takes one writer at a time, more only queue for it.
NODES = range(1, 5)


def web_command(bind: str) -> list[str]:
    """The admin's web server on `bind`, "host:port"."""
    return [
        *(sys.executable, "-m", "gunicorn", "hashworld.wsgi", "--bind", bind),
        *("--worker-class", "gthread", "--workers", "1", "--threads", str(WEB_THREADS)),
        *("--graceful-timeout", "10", "--no-control-socket"),
    ]


def node_command(name: str) -> list[str]:
    """A node; `name` is for people who list processes, the node itself learns its own.

    Gossip and mingle are off because nodes learn of each other from the database alone.
    """
    return [
        *(*_celery(), "worker", "--pool", "threads", "--concurrency", str(NODE_THREADS)),
        *("--hostname", f"{name}@%h"),
        *("--without-gossip", "--without-mingle"),
    ]


def scheduler_command() -> list[str]:
    """A scheduler: one of them leads, the others stand by."""
    return [*_celery(), "beat"]


def children(nodes: int, bind: str) -> list[Child]:
    """Everything that one machine runs."""
    return [
        Child("web", partial(web_command, bind)),
        *(_node(number, 0 if nodes == 1 else number) for number in range(1, nodes + 1)),
        Child("scheduler", scheduler_command),
    ]


def default_nodes() -> int:
    """How many nodes suit this machine: one per two cores."""
    return max(NODES[0], min(NODES[-1], (os.cpu_count() or 1) // 2))


def node_environment(number: int) -> dict[str, str]:
    """What a node needs in its environment; its number is 0 where there is but one.

    libcurl looks names up on twenty threads: one that does not answer must not keep one for long.
    """
    return {"HASHWORLD_NODE_NUMBER": str(number), "RES_OPTIONS": settings.ENV.resolver_options}


def _node(place: int, number: int) -> Child:
    command = partial(node_command, f"node-{place}")
    return Child(f"node-{place}", command, node_environment(number))


def _celery() -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "-A", "hashworld.celery"]
