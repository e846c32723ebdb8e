"""Celery's entry points, three lines each, and the bootstep that owns a node's runner."""

import gc
from typing import Any

import structlog
from celery import bootsteps
from django.conf import settings

from hashworld.celery import app
from hashworld.nodes import heartbeat
from hashworld.nodes.heartbeat import Work
from hashworld.tasks import reaper, retention, rollup
from hashworld.tasks.content.packs import PackStore
from hashworld.tasks.dispatch import dispatch
from hashworld.tasks.publisher import TAKE_LEASE, CeleryPublisher
from hashworld.tasks.runner import Runner

log = structlog.get_logger(__name__)

GC_THRESHOLD = 20_000

_runner: Runner | None = None


@app.task(name=TAKE_LEASE)
def take_lease(lease_id: int) -> None:
    """Start a lease that was published to this node."""
    if _runner is not None:
        _runner.take(lease_id)


@app.task(name="hashworld.dispatch")
def dispatch_sweep() -> None:
    """Give due tasks to nodes with room; every second, for what no nudge has found."""
    dispatch(CeleryPublisher(app))


@app.task(name="hashworld.reap")
def reap() -> None:
    """Rescue the work of the dead; every two seconds."""
    reaper.reap()


@app.task(name="hashworld.retention")
def retain() -> None:
    """Remove what is kept no longer; every minute, for ten seconds at most."""
    retention.retain()


@app.task(name="hashworld.metrics")
def roll_up() -> None:
    """Derive the hours from the minutes; every minute."""
    rollup.roll_up()


class RunnerStep(bootsteps.StartStopStep):
    """Owns the runner: starts it once the node has joined, drains it when the worker stops."""

    requires = ("hashworld.nodes.worker:HeartbeatStep",)

    def start(self, worker: Any) -> None:
        """Take back what an earlier incarnation held, mend its packs, and begin."""
        global _runner
        taken = reaper.reclaim(worker.node)
        if taken:
            log.info("took back the work of an earlier incarnation", tasks=taken)
        PackStore(worker.node.name).mend()
        _runner = Runner(worker.node)
        worker.work = lambda: _runner.work if _runner else Work()
        _runner.start()
        # What is loaded by now stays for good; and a set of results is many objects, none of
        # them in a cycle, so the collector need not look at every few hundred.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 20)
        heartbeat.ready(worker.node)
        log.info("node ready", node=worker.node.name, max_tasks=worker.node.max_tasks)

    def stop(self, worker: Any) -> None:
        """Drain: finish what is in flight within the grace, give the rest back."""
        global _runner
        if _runner is not None:
            heartbeat.drain(worker.node)
            _runner.drain(settings.ENV.drain_seconds)
            _runner = None
