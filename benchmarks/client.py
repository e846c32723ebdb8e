"""HashWorld's entrant: submits a file of URLs and waits for them as `hashworld fetch` does."""

import sys
from pathlib import Path
from threading import Event
from time import monotonic

from benchmarks import entrant
from hashworld.tasks import pursuit
from hashworld.tasks.models import Job, Lease
from hashworld.tasks.submit import submit

POLL = 0.02
#: Only near the end is it worth to look so often: each look is work for client and database.
NEARLY = 0.9


def main(arguments: list[str]) -> None:
    """Submit the URLs of a file, wait until so many have succeeded, and end the others."""
    path, succeeded = arguments
    urls = Path(path).read_text().splitlines()
    if entrant.ready():
        jobs: list[Job] = []
        figures = entrant.measured(lambda: _fetch(urls, int(succeeded), jobs))
        if figures["done"]:
            _clear(jobs[0])
        entrant.tell(figures)


def _fetch(urls: list[str], succeeded: int, jobs: list[Job]) -> dict[str, float]:
    began = monotonic()
    jobs.append(submit(urls).job)
    submitted = monotonic() - began
    while (done := _succeeded(jobs[0])) < succeeded:
        Event().wait(POLL if done > NEARLY * succeeded else 10 * POLL)
    return {"submitted": submitted, "done": done}


def _succeeded(job: Job) -> int:
    row = Job.objects.values_list("succeed", "runtime_error", "finished_at").get(pk=job.pk)
    succeeded, failed, finished_at = row
    if failed or (finished_at and not succeeded):
        sys.exit(f"{failed} tasks of job {job.pk} failed; nothing can be compared")
    return int(succeeded)


def _clear(job: Job) -> None:
    """End what is left of the job, and wait until no node holds anything."""
    pursuit.kill_job(job.pk)
    while Lease.objects.open().exists():
        Event().wait(POLL)
