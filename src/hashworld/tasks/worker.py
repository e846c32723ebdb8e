"""Celery's entry points, three lines each, and the bootstep that owns a node's runner."""

import gc
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

import structlog
from celery import bootsteps
from celery.signals import beat_init
from celery.worker.control import control_command
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from hashworld.celery import app
from hashworld.nodes import control, heartbeat
from hashworld.nodes.errors import NoAnswer
from hashworld.nodes.heartbeat import Work
from hashworld.tasks import dispatcher, reaper, retention, rollup
from hashworld.tasks.content.packs import PackStore
from hashworld.tasks.publisher import TAKE_LEASE
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
    """Give due tasks to nodes with room, and carry on with what was asked of whole jobs.

    Every second, for what no nudge has found.
    Not by the pool's threads, which are wanted for leases that must be started in time: where the
    database is far away, it takes longer than until the next one.
    """
    dispatcher.sweep()


@app.task(name="hashworld.reap")
def reap() -> None:
    """Rescue the work of the dead; every five seconds, and every second by the master itself."""
    reaper.reap()


@beat_init.connect
def begin_reaping(**_: Any) -> None:
    """Let every scheduler process reap while it is the master."""
    reaper.start()


@app.task(name="hashworld.retention")
def retain() -> None:
    """Remove what is kept no longer; every minute, for ten seconds at most."""
    retention.retain()


@app.task(name="hashworld.metrics")
def roll_up() -> None:
    """Derive the hours from the minutes; every minute."""
    rollup.roll_up()


@control_command(name="node_drain", args=[("node", str)], signature="NODE")
def drain(state: Any, node: str) -> control.Reply | None:
    """Take nothing new, give back what does not end in time, and stay."""
    return _told(state, node, _drain)


@control_command(name="node_resume", args=[("node", str)], signature="NODE")
def resume(state: Any, node: str) -> control.Reply | None:
    """Take work again after a drain."""
    return _told(state, node, _resume)


@control_command(
    name="node_max_tasks", args=[("node", str), ("max_tasks", int)], signature="NODE MAX_TASKS"
)
def set_max_tasks(state: Any, node: str, max_tasks: int) -> control.Reply | None:
    """Have up to so many fetches in flight."""
    return _told(state, node, partial(_resize, max_tasks=max_tasks))


@control_command(name="node_reap", args=[("node", str)], signature="NODE")
def reap_now(state: Any, node: str) -> control.Reply | None:
    """Run the reaper at once, beside what the node does."""
    return _told(state, node, _reap)


def _told(state: Any, name: str, act: Callable[[Runner], None]) -> control.Reply | None:
    """Do it to this node's runner, if it is meant; the runner's figures."""

    def acted() -> control.Reply:
        if _runner is None:
            raise NoAnswer("it is starting or stopping")
        act(_runner)
        return _runner.figures()

    return control.answer(state.consumer.controller, name, acted)


def _drain(runner: Runner) -> None:
    heartbeat.drain(runner.node)
    runner.rest(settings.ENV.drain_seconds)


def _resume(runner: Runner) -> None:
    heartbeat.resume(runner.node)
    runner.resume()


def _resize(runner: Runner, max_tasks: int) -> None:
    heartbeat.resize(runner.node, control.check_max_tasks(max_tasks))
    runner.resize(max_tasks)


def _reap(runner: Runner) -> None:
    # The thread that commands come to must not wait for it.
    Thread(target=_reap_aside, name="reaper", daemon=True).start()


def _reap_aside() -> None:
    try:
        reaper.reap()
    finally:
        connection.close()


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
        _runner = Runner(worker.node, worker.beat)
        worker.work = lambda: _runner.work if _runner else Work()
        worker.figures = lambda: _runner.figures() if _runner else {}
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
            try:
                heartbeat.drain(worker.node)
            except (DatabaseError, InterfaceError) as error:
                # What it holds has its grace all the same; the database may be back by then.
                log.warning("could not tell that the node drains", error=str(error))
                connection.close()
            _runner.drain(settings.ENV.drain_seconds)
            _runner = None
