"""What a submission takes, line by line, and what it answers."""

from dataclasses import dataclass, field

from hashworld.tasks.models import Job


@dataclass(frozen=True, slots=True)
class LineError:
    """A line that was not accepted; lines are counted from 1."""

    line: int
    value: str
    reason: str


Line = tuple[int, str] | LineError


@dataclass(slots=True)
class Submission:
    """The answer to a submission; `repeated` when its key was known and nothing was added."""

    job: Job
    accepted: int = 0
    duplicated: int = 0
    refused: int = 0
    errors: list[LineError] = field(default_factory=list)
    repeated: bool = False
