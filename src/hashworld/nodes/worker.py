"""What Celery starts of a node: its presence, and the consumption of its own queue."""

from typing import Any

from celery import bootsteps
from django.conf import settings

from hashworld.celery import node_queue
from hashworld.nodes import heartbeat, identity, lands
from hashworld.nodes.heartbeat import Heartbeat


class HeartbeatStep(bootsteps.StartStopStep):
    """Joins the cluster and beats while the worker lives; `worker.node` is the joined node."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        worker.node = None
        worker.in_flight = lambda: 0
        self._heartbeat: Heartbeat | None = None

    def create(self, worker: Any) -> None:
        """Consume the node's own queue beside the control queue."""
        queue = node_queue(identity.name())
        worker.app.amqp.queues.select_add(queue)

    def start(self, worker: Any) -> None:
        """Join, take the lands that are this node's share, and beat."""
        env = settings.ENV
        worker.node = heartbeat.join(identity.name(), identity.incarnation(), env.max_tasks)
        lands.make()
        lands.assign()
        self._heartbeat = Heartbeat(worker.node, env.heartbeat_seconds, lambda: worker.in_flight())
        self._heartbeat.start()

    def stop(self, worker: Any) -> None:
        """Leave: nobody need wait for this node."""
        if self._heartbeat is not None:
            self._heartbeat.stop()
            heartbeat.leave(worker.node)
