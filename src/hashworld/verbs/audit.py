"""The record of what operators did: who, what, to what, why, and to how many."""

from typing import TYPE_CHECKING

from hashworld.nodes import clock
from hashworld.verbs.models import AuditEntry

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def note(user: "User", verb: str, target: str, *, number: int = 1, reason: str = "") -> AuditEntry:
    """Write one row; the name stays readable when the account is gone."""
    return AuditEntry.objects.create(
        at=clock.now(),
        actor_id=user.pk,
        actor_name=user.get_username()[:150],
        verb=verb,
        target=target[:300],
        number=number,
        reason=reason[:300],
    )
