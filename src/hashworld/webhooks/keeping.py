"""How long messages and their deliveries are kept."""

from datetime import datetime, timedelta

from hashworld.webhooks.models import Message, State

#: What is over is kept for so long; a chunk goes at once.
KEPT = timedelta(days=30)
CHUNK = 1000


def tidy(now: datetime) -> int:
    """Remove old messages that are over, with their deliveries; how many messages."""
    old = Message.objects.filter(created_at__lt=now - KEPT).exclude(state=State.WAITING)
    ids = list(old.order_by("created_at").values_list("pk", flat=True)[:CHUNK])
    Message.objects.filter(pk__in=ids).delete()
    return len(ids)
