"""What the page of one recurring job tells: when it comes, what came of it, and how it is asked."""

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from zoneinfo import ZoneInfo

from django.db.models import OuterRef, QuerySet, Subquery

from hashworld.console import job_page, wording
from hashworld.recurring import slots, timing
from hashworld.recurring.models import Firing, FiringState, Recurring
from hashworld.recurring.policy import CatchUp
from hashworld.recurring.submission import spec
from hashworld.tasks import lines
from hashworld.tasks.models import Job

UPCOMING = 5
SHOWN = 50
#: So many lines of the list are shown.
SHOWN_URLS = 20


@dataclass(frozen=True, slots=True)
class Coming:
    """A slot to come, by the clocks of the schedule's zone."""

    slot: datetime
    local: str


@dataclass(frozen=True, slots=True)
class Past:
    """A firing, and its job unless that is gone."""

    firing: Firing
    job: Job | None
    local: str


@dataclass(frozen=True, slots=True)
class RecurringPage:
    """The next five slots, the newest firings, and what is submitted."""

    coming: list[Coming]
    past: list[Past]
    urls: list[str]
    more_urls: int
    options: list[tuple[str, str]]


def read(recurring: Recurring, now: datetime) -> RecurringPage:
    """Gather the page."""
    firings = list(recurring.firings.all()[:SHOWN])
    jobs = Job.objects.defer("body").in_bulk({f.job_id for f in firings if f.job_id})
    zone = recurring.zone
    urls = [text for _, text in _lines(recurring)]
    return RecurringPage(
        [Coming(slot, clock_face(slot, zone)) for slot in upcoming(recurring, now)],
        [Past(f, jobs.get(f.job_id or 0), clock_face(f.slot, zone)) for f in firings],
        urls[:SHOWN_URLS],
        len(urls[SHOWN_URLS:]),
        [*_policies(recurring), *job_page.options(Job(**spec(recurring.options).columns()))],
    )


def upcoming(recurring: Recurring, now: datetime, count: int = UPCOMING) -> list[datetime]:
    """The next slots; those that would come, while it is paused."""
    task = recurring.periodic_task
    if not task.enabled and not recurring.paused:
        return []
    after = max(now, timing.begins(task, now))
    return slots.upcoming(timing.schedule(task), after, count)


def with_last_jobs(rows: QuerySet[Recurring]) -> QuerySet[Recurring]:
    """Annotated with the slot and the job of the newest firing that made one."""
    made = Firing.objects.filter(recurring=OuterRef("pk"), state=FiringState.SUBMITTED)
    newest = made.order_by("-slot")
    return rows.annotate(
        last_slot=Subquery(newest.values("slot")[:1]),
        last_job=Subquery(newest.values("job_id")[:1]),
    )


def in_words(recurring: Recurring) -> str:
    """When it fires."""
    task = recurring.periodic_task
    if task.crontab:
        return str(task.crontab.human_readable)
    if task.interval:
        return str(task.interval)
    return f"Once, {clock_face(task.clocked.clocked_time, recurring.zone)}"


def clock_face(moment: datetime, zone: ZoneInfo) -> str:
    """A moment by the clocks of a zone, with the zone's letters, for one hour may come twice."""
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M:%S %Z}"


def _lines(recurring: Recurring) -> list[tuple[int, str]]:
    return list(lines.read(BytesIO(recurring.urls.encode()), "urls"))


def _policies(recurring: Recurring) -> list[tuple[str, str]]:
    catch_up = recurring.get_catch_up_display()
    if recurring.catch_up == CatchUp.ALL:
        catch_up += f" of {wording.duration(recurring.window)}"
    return [
        ("Time zone", recurring.timezone),
        ("While its last job runs", recurring.get_overlap_display()),
        ("Missed firings made up for", catch_up),
    ]
