"""What Celery starts of a node: its presence, and the consumption of its own queue."""

import signal
from typing import Any

import structlog
from celery import bootsteps
from celery.signals import beat_init
from celery.worker.control import control_command, inspect_command
from django.conf import settings

from hashworld.celery import CONTROL_QUEUE, app, node_queue
from hashworld.nodes import control, heartbeat, identity, master
from hashworld.nodes.heartbeat import Heartbeat, NameTaken, Work
from hashworld.nodes.models import Node

log = structlog.get_logger(__name__)


@app.task(name="hashworld.request_heartbeats")
def request_heartbeats() -> None:
    """Ask all nodes to beat at once; every ten seconds, by the way that commands take."""
    control.request_beats()


@inspect_command(name="node_ping", args=[("node", str)], signature="NODE")
def ping(state: Any, node: str = "") -> control.Reply | None:
    """The node's own figures."""
    worker = state.consumer.controller
    return control.answer(worker, node, lambda: worker.figures())


@control_command(name="node_beat", args=[("node", str)], signature="NODE")
def beat(state: Any, node: str = "") -> control.Reply | None:
    """Write the heartbeat at once."""
    worker = state.consumer.controller
    return control.answer(worker, node, lambda: worker.beat() or {"ok": "beats"})


class HeartbeatStep(bootsteps.StartStopStep):
    """Joins the cluster and beats while the worker lives; `worker.node` is the joined node."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        worker.node = None
        worker.work = Work
        worker.figures = dict
        worker.beat = lambda: None
        self._heartbeat: Heartbeat | None = None

    def create(self, worker: Any) -> None:
        """Join, and consume the node's own queue beside the control queue.

        Celery's own name carries the incarnation: while a frozen predecessor holds the old one,
        RabbitMQ keeps its control queue locked. Control commands find it in `Node.address`.
        """
        incarnation, machine = identity.incarnation(), worker.hostname.rpartition("@")[2]
        worker.node = _join(identity.name(), incarnation, machine)
        worker.hostname = worker.node.address
        worker.app.amqp.queues.select_add(node_queue(worker.node.name))

    def start(self, worker: Any) -> None:
        """Beat."""
        self._heartbeat = Heartbeat(
            worker.node, settings.ENV.heartbeat_seconds, lambda: worker.work()
        )
        worker.beat = self._heartbeat.request
        self._heartbeat.start()

    def stop(self, worker: Any) -> None:
        """Leave: nobody need wait for this node."""
        if self._heartbeat is not None:
            self._heartbeat.stop()
            heartbeat.leave(worker.node)


def _join(name: str, incarnation: str, machine: str) -> Node:
    """Join under a name, or under a new one if it is the data folder's and another has it too."""
    try:
        return heartbeat.join(
            name,
            incarnation,
            settings.ENV.max_tasks,
            address=f"{name}.{incarnation}@{machine}",
            queues=f"{node_queue(name).name},{CONTROL_QUEUE}",
        )
    except NameTaken as taken:
        if settings.ENV.node_name:
            log.error(f"{taken}: give this one a HASHWORLD_NODE_NAME of its own")
            raise SystemExit(1) from taken
        fresh = identity.rename()
        log.warning(f"{taken}; the data folder was copied, so this one is now {fresh}")
    return _join(fresh, incarnation, machine)


@beat_init.connect
def _compete(sender: Any, **_: Any) -> None:
    """Every scheduler process would be master."""
    master.start()
    signal.signal(signal.SIGTERM, lambda *_: _end(sender))


def _end(service: Any) -> None:
    """End beat. Its own handler only raises, and that is lost where a destructor runs just then."""
    service.stop()
    raise SystemExit
