"""The Celery application: how leases travel. What is set here and why: docs/decisions.md."""

import os
import sys
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_prerun
from django.db import close_old_connections
from kombu import Exchange, Queue

from hashworld.embedded import transport

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hashworld.settings")

CONTROL_QUEUE = "control"
EXCHANGE = Exchange("hashworld", type="topic", durable=True)
#: An unused queue of a node that never came back removes itself after this many milliseconds.
QUEUE_EXPIRES_MS = 24 * 3600 * 1000


def node_queue(name: str) -> Queue:
    """The queue that carries the leases of one node."""
    return _queue(f"node.{name}", {"x-expires": QUEUE_EXPIRES_MS})


def control_queue() -> Queue:
    """The queue of periodic work that any node may do."""
    return _queue(CONTROL_QUEUE, {})


def _queue(name: str, arguments: dict[str, Any]) -> Queue:
    return Queue(
        name,
        exchange=EXCHANGE,
        routing_key=name,
        durable=True,
        queue_arguments={"x-queue-type": "quorum", **arguments},
    )


#: Everything but the broker's address, which comes from the environment.
SETTINGS: dict[str, Any] = {
    "task_default_queue": CONTROL_QUEUE,
    "task_default_queue_type": "quorum",
    "task_default_exchange": EXCHANGE.name,
    "task_default_exchange_type": "topic",
    "task_default_routing_key": CONTROL_QUEUE,
    "task_queues": [control_queue()],
    "task_create_missing_queues": False,
    # A publish that is not confirmed has not happened; the timeouts bound a silent broker.
    "broker_transport_options": {
        "confirm_publish": True,
        "connect_timeout": 3,
        "read_timeout": 10,
        "write_timeout": 10,
    },
    "broker_connection_timeout": 3,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_channel_error_retry": True,
    "broker_heartbeat": 15,
    # Beat renews its one connection only by trying again; leases are published without.
    "task_publish_retry": True,
    "task_publish_retry_policy": {
        "max_retries": 2,
        "interval_start": 0,
        "interval_step": 0.5,
        "interval_max": 1,
    },
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_acks_on_failure": True,
    "task_acks_on_timeout": True,
    "task_ignore_result": True,
    "result_expires": None,
    "worker_prefetch_multiplier": 1,
    # The threads pool cannot end a task, and the fence makes it needless (DESIGN: Celery's part).
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    # Celery's Django fixup would connect to the database anew for every task. What is too old or
    # broken is closed before a task by Django's own rule instead.
    "CELERY_DB_REUSE_MAX": sys.maxsize,
    "worker_send_task_events": True,
    "task_send_sent_event": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "event_queue_exclusive": True,
    "control_queue_exclusive": True,
    "enable_utc": True,
    "beat_scheduler": "hashworld.recurring.scheduler:Scheduler",
    "beat_max_loop_interval": 1,
}

transport.register()
app = Celery("hashworld")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.add_defaults(lambda: SETTINGS)
app.autodiscover_tasks(related_name="worker")
app.steps["worker"].add("hashworld.nodes.worker:HeartbeatStep")
app.steps["worker"].add("hashworld.tasks.worker:RunnerStep")


@setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """Celery leaves logging alone when this signal has a receiver."""


@task_prerun.connect
def _close_old_connections(**_: Any) -> None:
    close_old_connections()
