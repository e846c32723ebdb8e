"""Coloured words: the state of a task, a job, a node."""

from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString

from hashworld.nodes.models import Node, Standing
from hashworld.recurring.models import Firing, FiringState, Recurring
from hashworld.tasks.intents import UNDER_WAY
from hashworld.tasks.models import Job, Wanted
from hashworld.tasks.states import State

TONES: dict[State, str] = {state: state.name.lower().replace("_", "-") for state in State}

STANDINGS: dict[Standing, tuple[str, str]] = {
    Standing.JOINING: ("inqueue", "It starts and takes nothing yet"),
    Standing.ALIVE: ("succeed", "It takes work"),
    Standing.DRAINING: ("killed", "It finishes what it has and takes nothing new"),
    Standing.SUSPECTED: ("killed", "Late, or it began nothing it was given: it gets nothing new"),
    Standing.DEAD: ("runtime-error", "Not heard of; its work is given to other nodes"),
    Standing.LEFT: ("waiting", "It said goodbye; its work was given back"),
}


def badge(text: str, tone: str, title: str = "") -> SafeString:
    """`text` in the colours of `tone`, a class of console.css."""
    return format_html('<span class="hw-badge hw-{}" title="{}">{}</span>', tone, title, text)


def state(value: int) -> SafeString:
    """The state of a task."""
    found = State(value)
    return badge(found.label, TONES[found])


def job(shown: Job) -> SafeString:
    """How a job stands."""
    if shown.sealed_at is None:
        return badge("submitting", "inqueue", "Its URLs are still being taken in")
    if shown.wanted:
        doing = UNDER_WAY[Wanted(shown.wanted)]
        return badge(doing.removeprefix("is "), "killed", f"Asked {shown.asked_at:%H:%M:%S} UTC")
    if shown.paused and shown.finished_at is None:
        return paused(shown.pause_reason)
    if shown.finished_at is None:
        return badge("running", "running")
    if shown.runtime_error:
        return badge("finished with errors", "runtime-error")
    if shown.killed:
        return badge("killed", "killed")
    return badge("finished", "succeed")


def paused(reason: str) -> SafeString:
    """That something is paused, and why."""
    text = f"paused: {reason}" if reason else "paused"
    return badge(text, "killed", "Nothing of it is given out; what runs goes on")


def node(shown: Node, now: datetime) -> SafeString:
    """How a node stands."""
    standing = shown.standing(now)
    if standing is Standing.ALIVE and shown.paused:
        return paused(shown.pause_reason)
    return badge(standing.label.lower(), *STANDINGS[standing])


def tone(standing: Standing) -> str:
    """The colours of a node that stands so."""
    return STANDINGS[standing][0]


def recurring(shown: Recurring) -> SafeString:
    """Whether a recurring job fires."""
    if shown.paused:
        return badge("paused", "killed", shown.pause_reason)
    if not shown.periodic_task.enabled:
        return badge("over", "waiting", "It has fired, and will not again")
    return badge("active", "succeed")


_FIRINGS = {
    FiringState.WAITING: "inqueue",
    FiringState.SUBMITTED: "succeed",
    FiringState.SKIPPED: "waiting",
    FiringState.MISSED: "killed",
    FiringState.FAILED: "runtime-error",
}


def firing(shown: Firing) -> SafeString:
    """What became of a firing."""
    return badge(shown.get_state_display(), _FIRINGS[FiringState(shown.state)], shown.reason)
