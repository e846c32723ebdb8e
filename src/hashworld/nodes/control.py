"""Telling nodes what to do while they run: ping, drain, resume, resize, reap, beat.

A command goes to all nodes over Celery's control exchange and names the one that it is for, for
Celery's own names of workers are new at every start. The node's side (`answer`) is used by the
`worker` modules.
"""

from collections.abc import Callable
from typing import Any

import structlog
from django.db import close_old_connections, connection
from kombu.exceptions import OperationalError as BrokerError

from hashworld.celery import app
from hashworld.nodes.errors import InvalidValue, NoAnswer, NodesError, UnknownNode
from hashworld.nodes.models import MAX_TASKS, Node

log = structlog.get_logger(__name__)

#: How long a node has to answer, in seconds.
PATIENCE = 3.0

Reply = dict[str, Any]


class _Answered(Exception):
    """The one reply that was waited for has come."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


def ping(name: str) -> Reply:
    """A node's own figures, by the node itself. Raises UnknownNode and NoAnswer, as all do here."""
    return _call("node_ping", name)


def ping_all(patience: float = 1.0) -> list[Reply]:
    """The figures of all nodes that answer within `patience` seconds, by name."""
    replies = app.control.broadcast("node_ping", {"node": ""}, reply=True, timeout=patience)
    found = [reply for body in replies or () for reply in body.values() if _is_reply(reply)]
    return sorted(found, key=lambda reply: str(reply["node"]))


def drain(name: str) -> Reply:
    """Let a node take nothing new, end or give back what it has within its grace, and stay idle.

    It stays so until `resume`, or until it starts again. Nothing counts as lost.
    """
    return _call("node_drain", name)


def resume(name: str) -> Reply:
    """Let a node that drains, or has drained, take work again."""
    return _call("node_resume", name)


def set_max_tasks(name: str, max_tasks: int) -> Reply:
    """Change how many fetches a node may have in flight, 1 to 10,000, until it starts again.

    Raises InvalidValue for any other number.
    """
    return _call("node_max_tasks", name, max_tasks=check_max_tasks(max_tasks))


def reap(name: str) -> Reply:
    """Let a node run the reaper at once; its log says what came of it."""
    return _call("node_reap", name)


def beat(name: str) -> Reply:
    """Let a node write its heartbeat at once."""
    return _call("node_beat", name)


def request_beats() -> None:
    """Let all nodes write their heartbeats at once; waits for nobody."""
    app.control.broadcast("node_beat", {"node": ""})


def check_max_tasks(value: object) -> int:
    """The number, if a node may have so many fetches in flight; raises InvalidValue."""
    if type(value) is not int or not 1 <= value <= MAX_TASKS:
        reason = f"it must be a whole number from 1 to {MAX_TASKS}, not {value!r}"
        raise InvalidValue("max_tasks", reason)
    return value


def answer(worker: Any, name: str, act: Callable[[], Reply]) -> Reply | None:
    """The node's side: do it if this node, or every node, is meant; what to reply.

    None, which whoever waits does not take for an answer, when another node is meant.
    """
    node = worker.node
    if node is None or name not in ("", node.name):
        return None
    close_old_connections()
    try:
        return {"node": node.name, **act()}
    except NodesError as error:
        return {"node": node.name, "error": str(error)}
    except Exception as error:
        log.exception("a control command failed", node=node.name)
        return {"node": node.name, "error": f"{type(error).__name__}: {error}"}
    finally:
        connection.close()  # the thread that commands come to needs it for nothing else


def _call(command: str, name: str, **arguments: Any) -> Reply:
    if not Node.objects.filter(name=name).exists():
        raise UnknownNode(f"there is no node {name!r}")
    try:
        app.control.broadcast(
            command,
            {"node": name, **arguments},
            reply=True,
            timeout=PATIENCE,
            callback=lambda body: _look(body, name),
        )
    except _Answered as answered:
        if "error" in answered.reply:
            raise NoAnswer(f"node {name} could not: {answered.reply['error']}") from None
        return answered.reply
    except (BrokerError, OSError) as error:
        raise NoAnswer(f"node {name} was not asked, for the broker is away: {error}") from error
    raise NoAnswer(f"node {name} did not answer in {PATIENCE:g} s; see whether it is alive")


def _look(body: dict[str, Any], name: str) -> None:
    """Do not wait for the others once the node has answered."""
    for reply in body.values():
        if _is_reply(reply) and reply["node"] == name:
            raise _Answered(reply)


def _is_reply(reply: object) -> bool:
    return isinstance(reply, dict) and "node" in reply
