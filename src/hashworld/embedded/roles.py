"""The command line of each role; systemd units and the compose file start the same ones."""

import os
import secrets
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
    """A node. HASHWORLD_NODE_NAME must be `name` too.

    Celery's own name is new at every start: while a frozen predecessor holds the old one,
    RabbitMQ keeps its control queue locked. Gossip and mingle are off because nodes learn of each
    other from the database alone.
    """
    incarnation = secrets.token_hex(3)
    return [
        *(*_celery(), "worker", "--pool", "threads", "--concurrency", str(NODE_THREADS)),
        *("--hostname", f"{name}.{incarnation}@%h"),
        *("--without-gossip", "--without-mingle"),
    ]


def scheduler_command() -> list[str]:
    """A scheduler: one of them leads, the others stand by."""
    return [*_celery(), "beat"]


def children(nodes: int, name: str, bind: str) -> list[Child]:
    """Everything that one machine runs; the names of its `nodes` nodes begin with `name`."""
    names = [name] if nodes == 1 else [f"{name}-{number}" for number in range(1, nodes + 1)]
    return [
        Child("web", partial(web_command, bind)),
        *(_node(number, node) for number, node in enumerate(names, 1)),
        Child("scheduler", scheduler_command),
    ]


def default_nodes() -> int:
    """How many nodes suit this machine: one per two cores."""
    return max(NODES[0], min(NODES[-1], (os.cpu_count() or 1) // 2))


def node_environment(name: str) -> dict[str, str]:
    """What a node needs in its environment.

    libcurl looks names up on twenty threads: one that does not answer must not keep one for long.
    """
    return {"HASHWORLD_NODE_NAME": name, "RES_OPTIONS": settings.ENV.resolver_options}


def _node(number: int, name: str) -> Child:
    return Child(f"node-{number}", partial(node_command, name), node_environment(name))


def _celery() -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "-A", "hashworld.celery"]
