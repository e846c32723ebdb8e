"""How soon the work of silent nodes was taken back, and whether a living one lost any. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from tests.chaos.trace import Change
from tests.chaos.verdict import INQUEUE, RUNNING


@dataclass(slots=True)
class Silence:
    """A time in which one incarnation of a node was dead, frozen or cut off.

    All times are the database's. `last_beat` is None where nothing is measured: it came back, or
    was let go, before anybody could miss it. One that never ends is of a process that was killed.
    """

    kind: str
    node: str
    incarnation: str
    began: datetime
    last_beat: datetime | None = None
    ended: datetime | None = None

    def covers(self, moment: datetime, grace: timedelta = timedelta()) -> bool:
        """Whether a moment lies in it, or not later than `grace` after it."""
        return self.began <= moment and (self.ended is None or moment <= self.ended + grace)


@dataclass(frozen=True, slots=True)
class Rescue:
    """Seconds from the last heartbeat until the last task was taken back, and until each of these
    that had been running ran elsewhere."""

    kind: str
    node: str
    seconds: float
    again: float | None


class Loss(NamedTuple):
    """That something of an incarnation was taken back as lost, at one moment."""

    incarnation: str
    at: datetime


class TaskLoss(NamedTuple):
    """That one task was taken back as lost with an incarnation."""

    task: int
    incarnation: str
    at: datetime


def rescues(
    silences: Sequence[Silence], changes: Sequence[Change], incarnations: Mapping[int, str]
) -> list[Rescue]:
    """What became of the leases of each silent node; `incarnations` is of each lease."""
    return [
        found
        for silence in silences
        if silence.last_beat and (found := _rescue(silence, changes, incarnations))
    ]


def false_rescues(
    losses: Iterable[Loss],
    silences: Sequence[Silence],
    signs_of_life: Mapping[str, datetime],
    grace: timedelta,
) -> list[Loss]:
    """Losses of incarnations that nothing had silenced and that went on living.

    `signs_of_life` is the last one of each; a silence that ended may show for `grace` longer.
    """
    return [
        loss
        for loss in losses
        if signs_of_life.get(loss.incarnation, loss.at) > loss.at
        and not any(
            silence.incarnation == loss.incarnation and silence.covers(loss.at, grace)
            for silence in silences
        )
    ]


def storms(
    losses: Iterable[TaskLoss], silences: Sequence[Silence], apart: timedelta, grace: timedelta
) -> list[str]:
    """Tasks that were lost again with the same node, while its links came and went, before a
    lease that was given after the first loss could have run out."""
    found: list[str] = []
    last: dict[tuple[int, str], datetime] = {}
    for loss in sorted(while_silent(losses, silences, grace), key=lambda loss: loss.at):
        since = loss.at - last.get((loss.task, loss.incarnation), loss.at - apart)
        if since < apart:
            found.append(f"task {loss.task} was lost again after {since.total_seconds()} s")
        last[loss.task, loss.incarnation] = loss.at
    return found


def while_silent(
    losses: Iterable[TaskLoss], silences: Sequence[Silence], grace: timedelta
) -> list[TaskLoss]:
    """The losses that these silences, and no others, may have brought about."""
    return [
        loss
        for loss in losses
        if any(
            silence.incarnation == loss.incarnation and silence.covers(loss.at, grace)
            for silence in silences
        )
    ]


def percentile(values: Sequence[float], part: float) -> float:
    """The value that `part` of all do not exceed, by the nearest rank; 0 of none."""
    ranked = sorted(values)
    return ranked[max(0, -int(-part * len(ranked) // 1) - 1)] if ranked else 0.0


def _rescue(
    silence: Silence, changes: Sequence[Change], incarnations: Mapping[int, str]
) -> Rescue | None:
    assert silence.last_beat
    taken: dict[int, datetime] = {}
    ran: set[int] = set()
    again: dict[int, datetime] = {}
    for change in changes:
        if change.at < silence.began:
            continue
        if (
            change.new_lease is None
            and incarnations.get(change.old_lease or 0) == silence.incarnation
            and silence.covers(change.at)
        ):
            taken[change.task] = change.at
            if change.old == RUNNING:
                ran.add(change.task)
        elif change.task in ran and (change.old, change.new) == (INQUEUE, RUNNING):
            again.setdefault(change.task, change.at)
    if not taken:
        return None
    return Rescue(
        silence.kind,
        silence.node,
        (max(taken.values()) - silence.last_beat).total_seconds(),
        (max(again.values()) - silence.last_beat).total_seconds() if again else None,
    )
