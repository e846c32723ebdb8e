"""What the page of one job tells beside its progress: what went wrong, and how it was asked."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from hashworld.console import wording
from hashworld.console.progress import Progress
from hashworld.tasks import keeping
from hashworld.tasks.models import Job, Task
from hashworld.tasks.states import State

SHOWN = 10
#: The kinds of error are counted among the newest so many failures: all could be millions.
SAMPLE = 1_000


@dataclass(frozen=True, slots=True)
class Kind:
    """An error and how often the sample has it; `share` in percent."""

    name: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class JobPage:
    """The newest failures, their kinds in a sample of them, and the job's options."""

    failures: list[Task]
    kinds: list[Kind]
    sample: int
    options: list[tuple[str, str]]


def read(job: Job) -> JobPage:
    """Gather the page, by the index (ended, job)."""
    failed = Task.objects.filter(job=job).in_state(State.RUNTIME_ERROR).order_by("-id")
    sample = Counter(failed.values_list("error", flat=True)[:SAMPLE]) if job.runtime_error else {}
    size = sum(sample.values())
    kinds = [
        Kind(wording.words(name) or "unknown", count, 100 * count / size)
        for name, count in sorted(sample.items(), key=lambda pair: -pair[1])
    ]
    return JobPage(list(failed[:SHOWN]), kinds, size, options(job))


def bar(progress: Progress) -> SafeString:
    """The job's progress as a bar of its states."""
    return render_to_string("console/bar.html", {"progress": progress})


def options(job: Job) -> list[tuple[str, str]]:
    """How its tasks are fetched, in words."""
    wait = f"{job.retry_base:g} s, doubled up to {job.retry_cap:g} s"
    return [
        ("Method", job.method),
        ("Priority", job.get_priority_display()),
        ("Duplicates", job.get_duplicates_display()),
        ("Tries", f"up to {job.max_attempts}"),
        ("Wait between tries", wait if job.max_attempts > 1 else wording.NONE),
        ("Certificates", "verified" if job.verify_tls else "not verified"),
        ("Headers", _pairs(job.headers)),
        ("Limits", _pairs(job.limits)),
        ("Removed", _removed(job)),
        ("Request body", f"{len(job.body):,} bytes" if job.body else wording.NONE),
    ]


def _removed(job: Job) -> str:
    """When it will be removed, and by which rule; the first that applies removes it."""
    found = keeping.removals(job, keeping.rules())
    return (
        "\n".join(
            f"{removal.at:%Y-%m-%d}: {removal.rule}" if removal.at else removal.rule
            for removal in found
        )
        or "never: it is kept for ever"
    )


def _pairs(values: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in values.items()) or "defaults"
