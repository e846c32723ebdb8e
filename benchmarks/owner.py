"""A person who hands in one job after the other, and waits for each as people do."""

import json
import sys
from pathlib import Path
from threading import Event
from time import monotonic

from django.contrib.auth.models import User

from benchmarks import entrant
from hashworld.tasks.models import Job
from hashworld.tasks.submit import submit

POLL = 0.02


def main(arguments: list[str]) -> None:
    """At each word: hand in the URLs of the file, wait for as many as it says, and tell how long.

    Without URLs: tell how many of the last job are left.
    """
    name, path = arguments
    owner = User.objects.create_user(name)
    job: Job | None = None
    going = entrant.ready()
    while going:
        told = json.loads(Path(path).read_text())
        began = monotonic()
        if told["urls"]:
            job = submit(told["urls"], owner=owner).job
            _wait(job, told["until"])
        entrant.tell({"seconds": monotonic() - began, "left": _left(job)})
        going = entrant.told()


def _left(job: Job | None) -> int:
    if job is None:
        return 0
    job.refresh_from_db()
    return job.total - job.done


def _wait(job: Job, until: int) -> None:
    while True:
        job.refresh_from_db(fields=("succeed", "runtime_error"))
        if job.runtime_error:
            sys.exit(f"{job.runtime_error} tasks of job {job.pk} failed; nothing can be compared")
        if job.succeed >= until:
            return
        Event().wait(POLL)
