"""Schedules over REST."""

from datetime import UTC
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from hashworld.api.door import opened, user
from hashworld.api.schemas.schedules import FiringOut, ScheduleIn, ScheduleOut, SchedulePage
from hashworld.api.schemas.words import Id, Why, Word
from hashworld.recurring import changes
from hashworld.recurring.models import Recurring
from hashworld.recurring.template import Template, Timing
from hashworld.verbs import paging, schedules

router = Router(tags=["schedules"])

Schedule = Id


@opened(router, "GET", "/schedules", schedules.find, response=SchedulePage)
def list_schedules(
    request: HttpRequest,
    cursor: Word | None = None,
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL,
) -> SchedulePage:
    """The recurring jobs that you may see, the newest first."""
    page = schedules.find(user(request), cursor, limit)
    return SchedulePage(items=[_told(found) for found in page.items], next=page.next)


@opened(router, "POST", "/schedules", schedules.create, response={201: ScheduleOut})
def create_schedule(request: HttpRequest, wanted: ScheduleIn) -> Status[ScheduleOut]:
    """Make a recurring job."""
    return Status(201, _told(schedules.create(user(request), *_taken(wanted))))


@opened(router, "GET", "/schedules/{schedule_id}", schedules.get, response=ScheduleOut)
def get_schedule(request: HttpRequest, schedule_id: Schedule) -> ScheduleOut:
    """One recurring job."""
    return _told(schedules.get(user(request), schedule_id))


@opened(router, "PUT", "/schedules/{schedule_id}", schedules.change, response=ScheduleOut)
def change_schedule(
    request: HttpRequest,
    schedule_id: Schedule,
    wanted: ScheduleIn,
    reason: Word = "",
) -> ScheduleOut:
    """Change what is submitted and when, from the next firing on."""
    template, timing = _taken(wanted)
    return _told(schedules.change(user(request), schedule_id, template, timing, reason))


@opened(
    router,
    "GET",
    "/schedules/{schedule_id}/firings",
    schedules.firings,
    response=list[FiringOut],
)
def list_firings(request: HttpRequest, schedule_id: Schedule) -> list[FiringOut]:
    """What became of its newest slots, the newest first."""
    return [FiringOut.of(firing) for firing in schedules.firings(user(request), schedule_id)]


@opened(router, "POST", "/schedules/{schedule_id}/pause", schedules.pause, response=ScheduleOut)
def pause_schedule(request: HttpRequest, schedule_id: Schedule, why: Why) -> ScheduleOut:
    """Fire no more until it is resumed."""
    schedules.pause(user(request), schedule_id, why.reason)
    return get_schedule(request, schedule_id)


@opened(router, "POST", "/schedules/{schedule_id}/resume", schedules.resume, response=ScheduleOut)
def resume_schedule(request: HttpRequest, schedule_id: Schedule, why: Why) -> ScheduleOut:
    """Fire again, from the next slot on."""
    schedules.resume(user(request), schedule_id, why.reason)
    return get_schedule(request, schedule_id)


@opened(
    router,
    "POST",
    "/schedules/{schedule_id}/fire",
    schedules.fire,
    errors=(409, 429),
    response=FiringOut,
)
def fire_schedule(request: HttpRequest, schedule_id: Schedule, why: Why) -> FiringOut:
    """Submit a job of it now, or as its overlap policy says."""
    return FiringOut.of(schedules.fire(user(request), schedule_id, why.reason))


@opened(router, "DELETE", "/schedules/{schedule_id}", schedules.delete, response={204: None})
def delete_schedule(request: HttpRequest, schedule_id: Schedule, reason: Word = "") -> Status[None]:
    """Remove it; its jobs stay."""
    schedules.delete(user(request), schedule_id, reason)
    return Status(204, None)


def _told(found: Recurring) -> ScheduleOut:
    return ScheduleOut.of(found, changes.timing_of(found))


def _taken(wanted: ScheduleIn) -> tuple[Template, Timing]:
    options: dict[str, Any] = wanted.options.model_dump(exclude={"name"})
    told = {name: getattr(wanted, name) for name in ("name", "overlap", "catch_up", "window")}
    timing = wanted.timing.model_dump()
    if (moment := timing["moment"]) and moment.tzinfo is None:
        timing["moment"] = moment.replace(tzinfo=UTC)
    return Template(urls="\n".join(wanted.urls), options=options, **told), Timing(**timing)
