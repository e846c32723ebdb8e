"""What happened, as far as a person may know."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db.models import Q

from hashworld.nodes import clock
from hashworld.tasks.events import Kind
from hashworld.tasks.models import Event
from hashworld.verbs import rights
from hashworld.verbs.errors import Invalid
from hashworld.verbs.rights import Scope, verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST = 500


@verb(Scope.READ)
def newest(user: "User") -> int:
    """The number of the last event of all; 0 before there is one."""
    rights.require(user, rights.VIEW_JOB, "see events")
    return Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


@verb(Scope.READ)
def find(
    user: "User", after: int, kinds: Sequence[str] = (), job: int | None = None
) -> tuple[list[Event], int]:
    """The events after a number that this person may know of, and the number to go on from.

    `kinds` are those of `Kind`, or beginnings of them that end in a dot. Raises Invalid, and
    NotFound for a job that this person may not see.
    """
    check(kinds)
    rights.require(user, rights.VIEW_JOB, "see events")
    if job is not None:
        rights.job(user, job)
    # All are read, so that what this person may not know of does not keep the number back.
    found = Event.objects.settled(after, clock.now(), MOST)
    if not found:
        return [], after
    chosen = Event.objects.filter(pk__in=[event.pk for event in found]).filter(_known(user))
    seen = set(chosen.values_list("pk", flat=True))
    wanted = [e for e in found if e.pk in seen and job in (None, e.job_id) and _is(e.kind, kinds)]
    return wanted, found[-1].pk


def check(kinds: Sequence[str]) -> None:
    """Raise Invalid for a kind that there is not."""
    for kind in kinds:
        if not any(_is(known, [kind]) for known in Kind):
            raise Invalid("kind", f"{kind!r} is none of {', '.join(Kind)}")


def _is(kind: str, kinds: Sequence[str]) -> bool:
    return not kinds or any(
        kind == wanted or (wanted.endswith(".") and kind.startswith(wanted)) for wanted in kinds
    )


def _known(user: "User") -> Q:
    if rights.may(user, rights.ANY_JOB):
        known = Q(job_id__isnull=False) | Q(owner_id__isnull=False)
    else:
        known = Q(owner_id=user.pk)
    if rights.may(user, rights.VIEW_NODE):
        known |= Q(job_id=None, owner_id=None)
    return known
