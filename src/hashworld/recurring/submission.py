"""Submitting what firings owe: idempotently by slot, and never past what overlaps.

A firing that waits is claimed under its recurring job's row, submitted outside of any
transaction, and then noted with its job. Whoever dies on the way leaves a claim that runs out,
and whoever comes next submits under the same key, which answers the same job.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import structlog

from hashworld.nodes import clock
from hashworld.recurring.models import Firing, FiringState, Recurring
from hashworld.recurring.policy import Overlap, Verdict, overlapping
from hashworld.tasks import lines, pursuit
from hashworld.tasks.errors import InvalidInput, QuotaPassed, SubmissionBusy, SubmissionLost
from hashworld.tasks.models import Job
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.submit import submit
from hashworld.transaction import retried

log = structlog.get_logger(__name__)

#: A claim that is older than this was left by somebody who died.
CLAIM = timedelta(seconds=60)
#: So many settled firings of a recurring job are kept.
HISTORY = 1000


@dataclass(frozen=True, slots=True)
class Claim:
    """A firing to submit, and the jobs of earlier ones that it ends."""

    recurring: Recurring
    firing: Firing
    replaces: list[int] = field(default_factory=list)


def submit_due() -> int:
    """Submit all that recurring jobs owe and may have now; the number of jobs."""
    waiting = Firing.objects.filter(state=FiringState.WAITING)
    jobs = 0
    for recurring_id in sorted(set(waiting.values_list("recurring_id", flat=True))):
        try:
            jobs += submit_due_of(recurring_id)
        except Exception:
            # One template must not keep the others from their jobs; its claim is tried again.
            log.exception("a recurring job was not submitted", recurring=recurring_id)
    return jobs


def submit_due_of(recurring_id: int) -> int:
    """Submit what one recurring job owes and may have now; the number of jobs."""
    jobs = 0
    while claim := _claim(recurring_id):
        jobs += _submit(claim)
    _forget(recurring_id)
    return jobs


def spec(options: dict[str, Any], **more: Any) -> JobSpec:
    """The options of a template as a submission takes them."""
    known = dict(options)
    body = known.pop("body", None)
    return JobSpec(**known, **more, body=body.encode() if body else None)


def _submit(claim: Claim) -> bool:
    recurring, firing = claim.recurring, claim.firing
    for job_id in claim.replaces:
        pursuit.kill_job(job_id)
    try:
        done = submit(_lines(recurring), _spec(recurring, firing.slot), recurring.owner)
    except (InvalidInput, QuotaPassed) as error:
        _settle(firing, FiringState.FAILED, str(error))
        return False
    except (SubmissionBusy, SubmissionLost) as error:
        log.warning("a firing is tried again later", firing=firing.pk, reason=str(error))
        return False
    _settle(firing, FiringState.SUBMITTED, job=done.job)
    log.info("recurring job submitted", recurring=recurring.pk, job=done.job.pk)
    return True


def _lines(recurring: Recurring) -> Iterator[tuple[int, str]]:
    return lines.read(BytesIO(recurring.urls.encode()), "urls")


def _spec(recurring: Recurring, slot: datetime) -> JobSpec:
    name = f"{recurring.name} {slot.astimezone(recurring.zone):%Y-%m-%d %H:%M}"
    key = f"{recurring.pk}:{slot.isoformat()}"
    return spec(recurring.options, name=name, idempotency_key=key)


@retried
def _claim(recurring_id: int) -> Claim | None:
    """The first firing that may be submitted; those that may not be at all are settled."""
    recurring = Recurring.objects.select_for_update().filter(pk=recurring_id).first()
    if recurring is None:
        return None
    now = clock.now()
    waiting = list(recurring.firings.filter(state=FiringState.WAITING).order_by("slot"))
    fresh = [firing for firing in waiting if _is_claimed(firing, now)]
    free = [firing for firing in waiting if not _is_claimed(firing, now)]
    running = _running(recurring)
    for place, firing in enumerate(free, 1):
        if recurring.paused and not firing.manual:
            _settle(firing, FiringState.SKIPPED, "it was paused")
            continue
        verdict = overlapping(
            Overlap(recurring.overlap),
            running=bool(running),
            submitting=bool(fresh),
            place=place,
        )
        match verdict:
            case Verdict.WAIT:
                continue
            case Verdict.SKIP:
                _settle(firing, FiringState.SKIPPED, "the job before it was not finished")
            case Verdict.SUBMIT | Verdict.REPLACE:
                Firing.objects.filter(pk=firing.pk).update(claimed_at=now)
                return Claim(recurring, firing, running)
    return None


def _is_claimed(firing: Firing, now: datetime) -> bool:
    return firing.claimed_at is not None and firing.claimed_at > now - CLAIM


def _running(recurring: Recurring) -> list[int]:
    """The jobs of this recurring job that still have something to do."""
    submitted = recurring.firings.filter(state=FiringState.SUBMITTED)
    unfinished = Job.objects.running().filter(pk__in=submitted.values("job_id"))
    return list(unfinished.order_by("pk").values_list("pk", flat=True))


def _settle(firing: Firing, state: FiringState, reason: str = "", job: Job | None = None) -> None:
    """Write what became of a firing, unless somebody else was quicker."""
    waiting = Firing.objects.filter(pk=firing.pk, state=FiringState.WAITING)
    waiting.update(state=state, reason=reason[:300], job_id=job.pk if job else None)


def _forget(recurring_id: int) -> None:
    """Delete the oldest of a long history."""
    settled = Firing.objects.filter(recurring_id=recurring_id).exclude(state=FiringState.WAITING)
    last = settled.order_by("-slot").values_list("slot", flat=True)[HISTORY : HISTORY + 1]
    for slot in last:
        settled.filter(slot__lte=slot).delete()
