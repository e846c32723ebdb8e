"""Telling of the slots of recurring jobs that came to nothing."""

from datetime import datetime

from hashworld.recurring.models import FiringState, Recurring
from hashworld.tasks import events
from hashworld.tasks.events import Kind

#: The ends of a firing that leave no job behind.
TOLD = {FiringState.SKIPPED, FiringState.MISSED, FiringState.FAILED}


def skipped(recurring: Recurring, slot: datetime, state: FiringState, reason: str) -> None:
    """Tell that a slot was skipped, missed or failed; in the transaction that decides it."""
    local = slot.astimezone(recurring.zone)
    events.tell(
        Kind.SCHEDULE_SKIPPED,
        f"{recurring.name} was {_WORDS[state]} at {local:%Y-%m-%d %H:%M}: {reason}.",
        owner_id=recurring.owner_id,
        schedule=recurring.pk,
        name=recurring.name,
        slot=slot.isoformat(),
        state=state.value,
        reason=reason,
    )


_WORDS = {
    FiringState.SKIPPED: "skipped",
    FiringState.MISSED: "missed",
    FiringState.FAILED: "not submitted",
}
