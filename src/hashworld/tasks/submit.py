"""Taking jobs in: the one function that every door uses (contract C1).

URLs are read from any iterable and written in chunks, each committed at once, so a million need
no more memory than a thousand and the first are fetched while the last are read. The job is
sealed when all are in. A submission that was cut off is never answered; its job is taken down by
the next submission with its key, or by the reaper.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from hashworld.fetcher.errors import InvalidURL
from hashworld.fetcher.url import URL, canonicalise
from hashworld.nodes import clock
from hashworld.nodes.lands import land_of
from hashworld.tasks import accounts, dispatcher, frontier, pursuit, quotas, rows
from hashworld.tasks.errors import InvalidInput, SubmissionBusy, SubmissionLost
from hashworld.tasks.lanes import lane_of
from hashworld.tasks.models import Duplicates, Host, Job, JobTag, Task, ahead
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import State
from hashworld.tasks.taken import Line, LineError, Submission
from hashworld.transaction import retried

if TYPE_CHECKING:
    from django.contrib.auth.models import User

CHUNK = 1000
#: What comes slowly is written after so many seconds, so that the submission is seen to live.
CHUNK_SECONDS = 5.0
#: So many refused lines are kept word for word; the rest are counted.
MAX_ERRORS = 1000
#: A submission that made no progress for so long is taken for dead.
ABANDONED = timedelta(seconds=60)
#: Hosts whose ids one submission keeps in memory.
KNOWN_HOSTS = 50_000


def submit(
    urls: Iterable[str | Line],
    spec: JobSpec | None = None,
    owner: "User | None" = None,
) -> Submission:
    """Make a job of `urls`: each a text, a pair of line number and text, or why a line has none.

    Lines that are no fetchable URL are left out and reported. Raises InvalidInput when an option
    is wrong or no line is left (nothing is changed then), SubmissionBusy while the same
    idempotency key is being submitted elsewhere, SubmissionLost when `urls` paused for so long that
    the job was taken down, and QuotaPassed when it is more than the owner may have.
    """
    spec = spec or JobSpec()
    spec.check()
    key = namespaced(spec.idempotency_key, owner)
    if known := _known(key):
        return Submission(job=known, accepted=known.total, repeated=True)
    intake = _Intake(spec, owner, key)
    try:
        for chunk in rows.in_time(_numbered(urls), CHUNK, CHUNK_SECONDS):
            intake.add(chunk)
        return intake.seal()
    except IntegrityError:
        intake.abandon()
        # Somebody else was quicker with the same key.
        if known := _known(key):
            return Submission(job=known, accepted=known.total, repeated=True)
        raise
    except BaseException:
        intake.abandon()
        raise


def url_hash(url: str) -> int:
    """The number by which tasks of a URL are found; raises InvalidURL."""
    return _hash(canonicalise(url, _ports()))


def namespaced(key: str | None, owner: "User | None") -> str | None:
    """A submission's key as it is kept, so that owners cannot meet."""
    if key is None:
        return None
    # Hashed, because the database's collation takes "A" and "a" for equal.
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return f"{owner.pk if owner else ''}:{digest}"


def abandon_stale(now: datetime) -> int:
    """Take down the jobs of submissions that were cut off; the number of jobs."""
    jobs = list(Job.objects.cut_off(now - ABANDONED).values_list("id", flat=True)[:100])
    for job_id in jobs:
        _take_down(job_id)
    return len(jobs)


class _Intake:
    """One submission under way."""

    def __init__(self, spec: JobSpec, owner: "User | None", key: str | None) -> None:
        self._spec = spec
        self._owner = owner
        self._key = key
        self._meter = quotas.Meter(owner)
        self._job: Job | None = None
        self._lane = lane_of(spec.priority, owner.pk if owner else None)
        self._hosts: dict[str, int] = {}
        self._accepted = self._duplicated = self._refused = 0
        self._errors: list[LineError] = []

    def add(self, lines: list[Line]) -> None:
        """Check one chunk of lines and write what is good in one transaction."""
        good = self._check(lines)
        if not good:
            return
        self._meter.take(len(good))
        hosts = self._host_ids({url.host for url in good})
        first = self._job is None
        self._job, accepted = self._write(good, hosts)
        self._accepted += accepted
        self._duplicated += len(good) - accepted
        if first:
            # Nodes that have begun ask for more themselves.
            dispatcher.nudge()

    def seal(self) -> Submission:
        """Close the job: all its tasks are in."""
        job = self._job
        if job is None:
            raise self._nothing()
        now = clock.now()
        with transaction.atomic():
            self._mark(job, sealed_at=now, refused=self._refused, duplicated=self._duplicated)
            accounts.finish_jobs([job.pk], now)
        dispatcher.nudge()
        job.refresh_from_db()
        return Submission(job, self._accepted, self._duplicated, self._refused, self._errors)

    def abandon(self) -> None:
        """Take down what was written, after an error."""
        self._meter.give_back()
        if self._job is not None:
            _take_down(self._job.pk)

    def _check(self, lines: list[Line]) -> list[URL]:
        good: list[URL] = []
        ports = _ports()
        for line in lines:
            if isinstance(line, LineError):
                self._refuse(line)
                continue
            number, text = line
            try:
                good.append(canonicalise(text, ports))
            except InvalidURL as error:
                self._refuse(LineError(number, text[:200], error.reason))
        return good

    def _refuse(self, error: LineError) -> None:
        self._refused += 1
        if len(self._errors) < MAX_ERRORS:
            self._errors.append(error)

    def _host_ids(self, names: set[str]) -> dict[str, int]:
        unknown = sorted(names - self._hosts.keys())
        if len(self._hosts) > KNOWN_HOSTS:
            self._hosts.clear()
            unknown = sorted(names)
        if unknown:
            found = _hosts(unknown)
            # Here and not with every chunk: it would keep all who use the queues waiting so long.
            frontier.open_lanes((host_id, self._lane) for host_id in found.values())
            self._hosts |= found
        return self._hosts

    @retried
    def _write(self, urls: list[URL], hosts: dict[str, int]) -> tuple[Job, int]:
        """Write the tasks of one chunk, and the job with the first; the job, how many tasks."""
        now = clock.now()
        job = self._job or self._make(now)
        fresh = urls if self._spec.duplicates == Duplicates.KEEP else _first_ones(job.pk, urls)
        lane, due_at = self._lane, rows.stamp(now)
        used = {hosts[url.host] for url in fresh}
        rows.insert(
            Task,
            _TASK_COLUMNS,
            [(job.pk, hosts[u.host], u.url, _hash(u), lane, due_at, *_TASK_START) for u in fresh],
        )
        frontier.arrive(dict.fromkeys(((host_id, lane) for host_id in used), now))
        self._mark(job, waiting=F("waiting") + len(fresh), touched_at=now)
        return job, len(fresh)

    def _make(self, now: datetime) -> Job:
        job = Job.objects.create(
            owner=self._owner,
            idempotency_key=self._key,
            created_at=now,
            touched_at=now,
            **self._spec.columns(),
        )
        JobTag.objects.bulk_create(JobTag(job=job, name=tag) for tag in set(self._spec.tags))
        return job

    def _mark(self, job: Job, **columns: Any) -> None:
        """Write to the job's row; raises SubmissionLost when it was taken down meanwhile."""
        if not Job.objects.filter(pk=job.pk, sealed_at=None).update(**columns):
            pause = int(ABANDONED.total_seconds())
            raise SubmissionLost(f"No URL came for {pause} s: the job was taken down, try again.")

    def _nothing(self) -> InvalidInput:
        if not self._refused:
            return InvalidInput("urls", "there is none; hand in at least one URL")
        first = self._errors[0]
        return InvalidInput(
            "urls",
            f"none of {self._refused} can be fetched; line {first.line}, {first.value!r}:"
            f" {first.reason}",
        )


_TASK_COLUMNS = (
    "job_id host_id url url_hash lane due_at state attempts failures losses error".split()
)
_TASK_START = (int(State.WAITING), 0, 0, 0, "")


def _numbered(urls: Iterable[str | Line]) -> Iterable[Line]:
    for number, line in enumerate(urls, 1):
        yield (number, line) if isinstance(line, str) else line


def _first_ones(job_id: int, urls: list[URL]) -> list[URL]:
    """The URLs whose canonical form the job does not have yet, each once."""
    distinct = {url.key: url for url in reversed(urls)}
    hashes = {_hash(url) for url in distinct.values()}
    known = Task.objects.filter(url_hash__in=hashes, job_id=job_id).values_list("url", flat=True)
    for url in known:
        distinct.pop(canonicalise(url, None).key, None)
    return [url for url in urls if distinct.get(url.key) is url]


def _hosts(names: list[str]) -> dict[str, int]:
    """The ids of hosts by name; those that are new are made with the default limits."""
    found = dict(Host.objects.filter(name__in=names).values_list("name", "id"))
    if missing := [name for name in names if name not in found]:
        _make_hosts(missing)
        found |= dict(Host.objects.filter(name__in=missing).values_list("name", "id"))
    return found


@retried
def _make_hosts(names: list[str]) -> None:
    """Make hosts, but for those that another has made; who makes the same may be the victim."""
    env = settings.ENV
    limits = (env.host_max_connections, env.host_min_interval)
    start = rows.stamp(clock.now())
    rows.insert(
        Host,
        "name land max_connections min_interval ahead next_at paused pause_reason out".split(),
        [(name, land_of(name), *limits, ahead(*limits), start, 0, "", 0) for name in names],
        ignore=True,
    )


def _known(key: str | None) -> Job | None:
    """The sealed job with this key; what is left of a submission that died makes way."""
    job = Job.objects.filter(idempotency_key=key).first() if key else None
    if job is None or job.sealed_at:
        return job
    if job.touched_at > clock.now() - ABANDONED:
        raise SubmissionBusy("This submission is still under way; ask again in a few seconds.")
    _take_down(job.pk)
    return None


def _take_down(job_id: int) -> None:
    """Kill what a cut-off submission left and free its key."""
    pursuit.kill_job(job_id)
    now = clock.now()
    with transaction.atomic():
        Job.objects.filter(pk=job_id).update(idempotency_key=None, sealed_at=now)
        accounts.finish_jobs([job_id], now)


def _hash(url: URL) -> int:
    return int.from_bytes(url.key[:8], "big", signed=True)


def _ports() -> frozenset[int]:
    return frozenset(settings.ENV.fetch_ports)
