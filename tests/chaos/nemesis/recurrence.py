"""A recurring job that fires all through the run, whoever leads: each slot of it once."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from hashworld.nodes import clock
from hashworld.recurring import changes, slots, timing
from hashworld.recurring.models import Firing, FiringState, Recurring
from hashworld.recurring.policy import CatchUp, Overlap
from hashworld.recurring.template import Template, Timing
from hashworld.tasks.models import Job

NAME = "chaos by the clock"
#: Seconds between two firings: the fewest that are allowed.
EVERY = 10
#: How the firings of a run may end in which all slots are made up for, and which is paused then.
RIGHT = (FiringState.SUBMITTED, FiringState.SKIPPED)


class Fired(NamedTuple):
    """A firing, as the database has it at the end."""

    slot: datetime
    state: str
    job: int | None


class Recurrence:
    """Fires a job of one page every few seconds, and makes up for whatever slot was missed."""

    def __init__(self, url: str) -> None:
        template = Template(NAME, url, overlap=Overlap.QUEUE, catch_up=CatchUp.ALL)
        self._recurring = changes.create(template, Timing(every=EVERY, period="seconds"))

    def stop(self) -> datetime:
        """Let it fire no more; the moment since which it does not."""
        changes.pause(self._recurring.pk, "the run is over")
        return clock.now()

    def is_settled(self) -> bool:
        """Whether it is known of every firing what became of it."""
        return not self._recurring.firings.filter(state=FiringState.WAITING).exists()

    def wrongs(self, ended: datetime, patience: timedelta) -> list[str]:
        """What is wrong with its firings; slots of the last `patience` may be undecided."""
        firings = Firing.objects.filter(recurring=self._recurring)
        return wrongs(
            self._slots(ended - patience),
            self._slots(ended),
            [Fired(*row) for row in firings.values_list("slot", "state", "job_id")],
            set(Job.objects.filter(name__startswith=NAME).values_list("pk", flat=True)),
        )

    def count(self) -> int:
        """How many slots have fired."""
        return self._recurring.firings.count()

    def _slots(self, until: datetime) -> list[datetime]:
        recurring = Recurring.objects.light().get(pk=self._recurring.pk)
        schedule = timing.schedule(recurring.periodic_task)
        return slots.between(schedule, recurring.created_at, until)


def wrongs(
    due: Sequence[datetime],
    slots_: Sequence[datetime],
    firings: Sequence[Fired],
    jobs: Collection[int],
) -> list[str]:
    """Slots that did not fire, fired twice or have no place; jobs without a firing of their own.

    `due` are the slots that must have fired, `slots_` those that may have.
    """
    times = Counter(firing.slot for firing in firings)
    of = Counter(firing.job for firing in firings if firing.job is not None)
    return [
        *(f"slot {slot} never fired" for slot in due if not times[slot]),
        *(f"slot {slot} has {number} firings" for slot, number in times.items() if number > 1),
        *(f"{slot} fired and is no slot" for slot in times if slot not in slots_),
        *(f"slot {each.slot} is {each.state}" for each in firings if each.state not in RIGHT),
        *(
            f"slot {each.slot} is {each.state} with job {each.job}"
            for each in firings
            if (each.state == FiringState.SUBMITTED) != (each.job in jobs)
        ),
        *(f"job {job} is of {number} slots" for job, number in of.items() if number > 1),
        *(f"job {job} is of no slot" for job in jobs if not of[job]),
    ]
