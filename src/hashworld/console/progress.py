"""How far a job is."""

from dataclasses import dataclass
from datetime import datetime

from hashworld.console.badges import TONES
from hashworld.tasks.models import Job
from hashworld.tasks.states import State

#: From what is done to what is still to come, as a bar is read.
ORDER = (
    State.SUCCEED,
    State.RUNTIME_ERROR,
    State.KILLED,
    State.RUNNING,
    State.INQUEUE,
    State.WAITING,
)


@dataclass(frozen=True, slots=True)
class Part:
    """The tasks of one state; `share` of all in percent."""

    state: State
    tone: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Progress:
    """A job's counts and its speed over its whole life, in tasks a second."""

    job: Job
    parts: list[Part]
    percent: int
    seconds: float
    rate: float

    @property
    def left(self) -> int:
        """How many tasks are not at their end."""
        return self.job.total - self.job.done

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this speed; None when nothing tells."""
        return self.left / self.rate if self.left and self.rate else None


def of(job: Job, now: datetime) -> Progress:
    """Where `job` stands at `now`."""
    total, counts = job.total, job.counts()
    parts = [
        Part(state, TONES[state], counts[state], 100 * counts[state] / total if total else 0)
        for state in ORDER
    ]
    seconds = max(((job.finished_at or now) - job.created_at).total_seconds(), 0.001)
    # Rounded down: a job with one task of a million left is not at 100 %.
    percent = 100 * job.done // total if total else 0
    return Progress(job, parts, percent, seconds, (job.succeed + job.runtime_error) / seconds)
