"""What an answer to "why is it not running?" is made of: causes, and the words for them."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Cause(StrEnum):
    """What keeps a task from running, or that nothing does."""

    ENDED = "ended"
    RUNNING = "running"
    IN_QUEUE = "in_queue"
    NODE_SILENT = "node_silent"
    JOB_ENDING = "job_ending"
    CLUSTER_PAUSED = "cluster_paused"
    JOB_PAUSED = "job_paused"
    JOB_RESUMING = "job_resuming"
    HOST_PAUSED = "host_paused"
    RETRY_LATER = "retry_later"
    BROKER_AWAY = "broker_away"
    NO_NODE = "no_node"
    NODES_PAUSED = "nodes_paused"
    HOST_LIMIT = "host_limit"
    HOST_INTERVAL = "host_interval"
    HOLDER_AWAY = "holder_away"
    HOLDER_FULL = "holder_full"
    NODES_FULL = "nodes_full"
    SUSPECT = "suspect"
    BEHIND = "behind"
    NO_MASTER = "no_master"
    LENT = "lent"
    NEXT = "next"


class Reason(NamedTuple):
    """The cause, the sentence that tells it, and what to do, if there is anything to do."""

    cause: Cause
    sentence: str
    remedy: str = ""


def because(reason: str) -> str:
    """A pause's reason as the end of a sentence."""
    return f": {reason.rstrip('.')}" if reason else ""


def words(name: str) -> str:
    """A name from the code as people read it."""
    return name.replace("_", " ") or "unknown"


def tasks(number: int) -> str:
    """A number of tasks."""
    return f"{number:,} {'task' if number == 1 else 'tasks'}"


def times(number: int) -> str:
    """How often, as the beginning of a sentence."""
    return {1: "Once", 2: "Twice"}.get(number, f"{number} times")


def hour(moment: datetime) -> str:
    """A time of the day."""
    return f"{moment:%H:%M:%S} UTC"


def when(moment: datetime, now: datetime) -> str:
    """A moment to come, and how far off it is."""
    day = "" if moment.date() == now.date() else f"{moment:%Y-%m-%d} "
    return f"at {day}{hour(moment)}, in {(moment - now).total_seconds():,.0f} s"
