"""Whether those who give work out reach the broker, for whoever asks why nothing runs."""

from datetime import datetime

from hashworld.nodes import clock
from hashworld.nodes.models import Cluster


def lost() -> None:
    """Note that the broker could not be reached just now, unless that is known already."""
    Cluster.objects.get_or_create(pk=Cluster.ID)
    row = Cluster.objects.filter(pk=Cluster.ID, broker_lost_at=None)
    row.update(broker_lost_at=clock.now())


def found() -> None:
    """Note that work was given out again."""
    Cluster.objects.exclude(broker_lost_at=None).update(broker_lost_at=None)


def lost_at() -> datetime | None:
    """Since when nobody has reached it, by the database's clock; None while it is there."""
    return Cluster.objects.values_list("broker_lost_at", flat=True).filter(pk=Cluster.ID).first()
