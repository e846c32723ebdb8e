"""Events, and what was last told of what."""

from datetime import datetime, timedelta

from django.db import models

#: Seconds for which a missing number of an event is waited for. The database ends a transaction
#: that is idle for five, and a statement waits no longer than the events' own reader would.
EVENT_PATIENCE = 8


class EventQuerySet(models.QuerySet["Event"]):
    """Reads of events."""

    def settled(self, after: int, now: datetime, limit: int = 500) -> list["Event"]:
        """Those that follow a number, as far as none can come between them any more.

        A number that is missing may be of a transaction that has not committed: it is waited for
        until no transaction can be so old. Numbers of what was rolled back stay missing.
        """
        found = list(self.filter(pk__gt=after).order_by("pk")[:limit])
        patience = timedelta(seconds=EVENT_PATIENCE)
        for place, event in enumerate(found):
            if event.pk != after + 1 and event.at > now - patience:
                return found[:place]
            after = event.pk
        return found


class Event(models.Model):
    """Something that happened, told once: to the chatroom, to webhooks and to whoever watches.

    Written in the transaction that it tells of, so that neither is there without the other.
    """

    kind = models.CharField(max_length=24)
    at = models.DateTimeField(db_index=True)
    job_id = models.BigIntegerField(null=True)
    owner_id = models.BigIntegerField(null=True, help_text="Whose it is; null for the cluster's.")
    node = models.CharField(max_length=80, blank=True)
    text = models.CharField(max_length=300, blank=True, help_text="A sentence for people.")
    data = models.JSONField(default=dict)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Told(models.Model):
    """What was last told of a subject ("node:3", "job:17"), so that each change is told once."""

    subject = models.CharField(max_length=40, unique=True)
    what = models.CharField(max_length=40)

    def __str__(self) -> str:
        return f"{self.subject} {self.what}"
