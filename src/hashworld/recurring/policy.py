"""What becomes of slots that were missed, and of one that comes while its last job runs. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple

from django.db.models import TextChoices

#: A slot that is later than this was missed: failing over to another master takes less.
ON_TIME = timedelta(minutes=1)
#: So many missed slots are made up for at most, the newest.
MOST_CAUGHT_UP = 100
#: So many firings wait for the job before them at most.
MOST_QUEUED = 10


class CatchUp(TextChoices):
    """Which missed slots are made up for."""

    NONE = "none", "none"
    LAST = "last", "the last one"
    ALL = "all", "all within the window"


class Overlap(TextChoices):
    """What a firing does while a job of an earlier one runs."""

    SKIP = "skip", "skip the new one"
    QUEUE = "queue", "queue the new one"
    KILL = "kill", "kill the old one"


class Due(NamedTuple):
    """The slots that fire now, and those that were missed for good."""

    fire: list[datetime]
    missed: list[datetime]


class Verdict(Enum):
    """What to do with a firing."""

    SUBMIT = auto()
    WAIT = auto()
    SKIP = auto()
    REPLACE = auto()


def due(slots: Sequence[datetime], now: datetime, catch_up: CatchUp, window: timedelta) -> Due:
    """Part slots that have come, in their order, by the catch-up policy."""
    match catch_up:
        case CatchUp.NONE:
            fire = [slot for slot in slots[-1:] if now - slot <= ON_TIME]
        case CatchUp.LAST:
            fire = list(slots[-1:])
        case CatchUp.ALL:
            oldest = now - max(window, ON_TIME)
            fire = [slot for slot in slots if slot >= oldest][-MOST_CAUGHT_UP:]
    return Due(fire, list(slots[: len(slots) - len(fire)]))


def overlapping(overlap: Overlap, *, running: bool, submitting: bool, place: int) -> Verdict:
    """What a firing does while earlier ones have a job that runs or is being submitted.

    `place` is its place among the firings that wait, from 1. What is being submitted cannot be
    killed yet, so the new one waits for that.
    """
    if not running and not submitting:
        return Verdict.SUBMIT
    match overlap:
        case Overlap.SKIP:
            return Verdict.SKIP
        case Overlap.QUEUE:
            return Verdict.WAIT if place <= MOST_QUEUED else Verdict.SKIP
        case Overlap.KILL:
            return Verdict.WAIT if submitting else Verdict.REPLACE
