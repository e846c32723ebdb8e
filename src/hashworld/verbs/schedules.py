"""Schedules: recurring jobs, to list, make, change, pause, fire and delete."""

from typing import TYPE_CHECKING

from hashworld.recurring import changes, submission
from hashworld.recurring.models import Firing, Recurring
from hashworld.recurring.template import Template, Timing
from hashworld.verbs import audit, paging, rights
from hashworld.verbs.errors import Forbidden, translated
from hashworld.verbs.paging import Page
from hashworld.verbs.rights import Scope, verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Firings of one answer.
SHOWN = 100


@verb(Scope.READ)
def find(user: "User", cursor: str | None = None, limit: int = paging.USUAL) -> Page[Recurring]:
    """The recurring jobs that a person may see, the newest first."""
    paging.check_limit(limit)
    place = paging.numbers(cursor, 1)
    rows = rights.schedules(user).order_by("-id").prefetch_related("owner")
    if place:
        rows = rows.filter(pk__lt=place[0])
    found = list(rows[: limit + 1])
    return Page(found[:limit], paging.encode(found[limit - 1].pk) if len(found) > limit else None)


@verb(Scope.READ)
def get(user: "User", schedule_id: int) -> Recurring:
    """One recurring job; raises NotFound."""
    return rights.schedule(user, schedule_id)


@verb(Scope.READ)
def firings(user: "User", schedule_id: int) -> list[Firing]:
    """What became of its newest slots, the newest first."""
    found = rights.schedule(user, schedule_id)
    return list(found.firings.order_by("-slot")[:SHOWN])


@verb(Scope.READ)
def timing(user: "User", schedule_id: int) -> Timing:
    """When it fires, as it was given."""
    return changes.timing_of(rights.schedule(user, schedule_id))


@verb(Scope.SUBMIT)
def create(user: "User", template: Template, timing: Timing) -> Recurring:
    """Make one; raises Invalid, and then nothing is changed."""
    rights.require(user, rights.ADD_SCHEDULE, "make schedules")
    with translated():
        made = changes.create(template, timing, user)
    audit.note(user, "create schedule", _name(made))
    return made


@verb(Scope.OPERATE)
def change(
    user: "User", schedule_id: int, template: Template, timing: Timing, reason: str = ""
) -> Recurring:
    """Change what is submitted and when, from the next firing on; raises Invalid."""
    found = _theirs(user, schedule_id, rights.CHANGE_SCHEDULE, "change")
    with translated():
        changed = changes.change(found.pk, template, timing)
    audit.note(user, "change schedule", _name(changed), reason=reason)
    return changed


@verb(Scope.OPERATE)
def pause(user: "User", schedule_id: int, reason: str = "") -> bool:
    """Fire no more until it is resumed; False when it was paused already."""
    found = _theirs(user, schedule_id, rights.CHANGE_SCHEDULE, "pause")
    with translated():
        changed = changes.pause(found.pk, reason)
    audit.note(user, "pause schedule", _name(found), reason=reason)
    return changed


@verb(Scope.OPERATE)
def resume(user: "User", schedule_id: int, reason: str = "") -> bool:
    """Fire again, from the next slot on; False when it was not paused."""
    found = _theirs(user, schedule_id, rights.CHANGE_SCHEDULE, "resume")
    with translated():
        changed = changes.resume(found.pk)
    audit.note(user, "resume schedule", _name(found), reason=reason)
    return changed


@verb(Scope.SUBMIT)
def fire(user: "User", schedule_id: int, reason: str = "") -> Firing:
    """Submit a job of it now, or as its overlap policy says; what became of it."""
    found = _theirs(user, schedule_id, rights.CHANGE_SCHEDULE, "fire")
    with translated():
        firing = changes.fire_now(found.pk)
        submission.submit_due_of(found.pk)
    firing.refresh_from_db()
    audit.note(user, "fire schedule", _name(found), reason=reason)
    return firing


@verb(Scope.OPERATE)
def delete(user: "User", schedule_id: int, reason: str = "") -> None:
    """Remove it; its jobs stay."""
    found = _theirs(user, schedule_id, rights.DELETE_SCHEDULE, "delete")
    with translated():
        changes.delete(found.pk)
    audit.note(user, "delete schedule", _name(found), reason=reason)


def _theirs(user: "User", schedule_id: int, permission: str, doing: str) -> Recurring:
    found = rights.schedule(user, schedule_id)
    if not rights.acts_on_schedule(user, found, permission):
        raise Forbidden(f"You may not {doing} {found}: it needs the permission {permission}.")
    return found


def _name(found: Recurring) -> str:
    return f"schedule {found.pk}: {found.name}"
