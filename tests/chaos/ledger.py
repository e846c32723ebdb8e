"""Keeping the ledgers: what was acknowledged is written down, the rest is read at the end."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Q

from hashworld.tasks import content
from hashworld.tasks.errors import ContentDamaged
from hashworld.tasks.models import COUNTERS, Attempt, Host, Job, Lease, Task
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import State
from hashworld.tasks.submit import submit
from tests.chaos import trace
from tests.chaos.site import Site, body
from tests.chaos.verdict import Fate, Found, Ledgers, Try, Verdict, judge

#: How many kept bodies are read back.
SAMPLE = 300


class Ledger:
    """The submitter's own record, in memory and in a file, and the way to the verdict."""

    def __init__(self, site: Site, file: Path) -> None:
        self._site = site
        self._file = file
        self._acknowledged: dict[str, Fate] = {}
        self._jobs: set[int] = set()
        #: How often a person let each task at its end wait again.
        self.retried: Counter[int] = Counter()
        #: Pages that others than the submitter hand in, again and again: who does is asked why.
        self.apart: set[str] = set()

    @property
    def count(self) -> int:
        """How many tasks were acknowledged."""
        return len(self._acknowledged)

    def hand_in(self, urls: Sequence[str], fate: Fate = Fate.SUCCEED, **options: Any) -> list[int]:
        """Submit a job of URLs of the site, each new to this ledger; the ids of its tasks."""
        job = self.acknowledge(urls, fate, **options)
        return list(Task.objects.filter(job=job).values_list("id", flat=True))

    def acknowledge(self, urls: Sequence[str], fate: Fate = Fate.SUCCEED, **options: Any) -> Job:
        """Submit a job; its URLs are on record only once `submit` has answered."""
        submission = submit(urls, JobSpec(**options))
        assert submission.accepted == len(urls), submission.errors
        with self._file.open("a") as file:
            file.writelines(f"{submission.job.pk} {fate.name} {url}\n" for url in urls)
        self._acknowledged |= dict.fromkeys(urls, fate)
        self._jobs.add(submission.job.pk)
        return submission.job

    def is_settled(self) -> bool:
        """Whether every task is at its end."""
        return not Task.objects.filter(ended=None).exists()

    def losses(self, incarnation: str) -> int:
        """How many tasks were counted as lost with one incarnation of a node."""
        leases = Lease.objects.filter(incarnation=incarnation).values("pk")
        return Attempt.objects.filter(lease__in=leases, error="lost").count()

    def verdict(self, dice: Random | None = None) -> Verdict:
        """Read the other two ledgers, and judge."""
        tasks = list(Task.objects.exclude(url__in=self.apart).select_related("content"))
        verdict = judge(
            Ledgers(
                acknowledged=self._acknowledged,
                tasks=[self._found(task) for task in tasks],
                tries=[
                    Try(*row)
                    for row in Attempt.objects.values_list("task_id", "number", "lease_id", "error")
                ],
                changes=trace.read(),
                gets={url: n for url, n in self._site.log().items() if url not in self.apart},
                bodies={url: page_hash(url) for url in self._acknowledged},
                retried=self.retried,
            )
        )
        kept = [task for task in tasks if task.content]
        for task in (dice or Random()).sample(kept, min(SAMPLE, len(kept))):
            _read_back(task, verdict)
        for wrong in wrong_in_the_books():
            verdict.count("unexpected", wrong)
        return verdict

    def _found(self, task: Task) -> Found:
        kept = task.content.sha256 if task.content else None
        answered = task.job_id in self._jobs
        return Found(task.pk, task.url, task.state, task.error, kept, answered)


def page_hash(url: str) -> str:
    """The SHA-256 of the page that the site has at a URL."""
    return hashlib.sha256(body(urlsplit(url).path)).hexdigest()


def wrong_in_the_books() -> list[str]:
    """Numbers that are kept and do not equal what they count, once everything is at its end."""
    wrong = []
    counted = Counter(Task.objects.values_list("job_id", "state"))
    for job in Job.objects.all():
        for state in State:
            kept = getattr(job, COUNTERS[state])
            if kept != counted[job.pk, state]:
                wrong.append(f"job {job.pk} counts {kept} {state.label}")
        if job.finished_at is None:
            wrong.append(f"job {job.pk} is not finished")
    for lease in Lease.objects.filter(Q(closed_at=None) | ~Q(left=0)):
        wrong.append(f"lease {lease.pk} is still open, or has {lease.left} tasks left")
    for host in Host.objects.exclude(out=0, holder=None):
        wrong.append(f"host {host.name} has {host.out} tasks out, held by {host.holder}")
    return wrong


def _read_back(task: Task, verdict: Verdict) -> None:
    assert task.content is not None
    try:
        page = content.read(task.content)
    except ContentDamaged as error:
        verdict.count("lost", f"{task.url}: {error}")
        return
    if page != body(urlsplit(task.url).path):
        verdict.count("lost", f"{task.url}: what is kept is not its page")
