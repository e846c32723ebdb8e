"""Hosts, their limits, and what waits on each in which lane."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from hashworld.fetcher.limits import HostLimits, LimitError
from hashworld.nodes.models import Node
from hashworld.tasks.models.columns import reference

#: How many of a host's tasks may be out at once, per connection that the host allows; and, where
#: it asks for an interval between fetches, no more than it takes in this many seconds.
AHEAD_PER_CONNECTION = 16
AHEAD_SECONDS = 10


def ahead(max_connections: int, min_interval: float) -> int:
    """How many tasks of a host with these limits may be out at once."""
    most = max_connections * AHEAD_PER_CONNECTION
    return min(most, max(1, int(AHEAD_SECONDS / min_interval))) if min_interval else most


class Host(models.Model):
    """A target host: its limits, and which node holds it while any of its tasks is out."""

    name = models.CharField(max_length=253, unique=True)
    land = models.PositiveSmallIntegerField()
    max_connections = models.PositiveSmallIntegerField(help_text="Simultaneous connections.")
    min_interval = models.FloatField(help_text="Seconds between the starts of two fetches.")
    paused = models.BooleanField(default=False)
    pause_reason = models.CharField(max_length=200, blank=True)
    holder = models.ForeignKey(
        Node, null=True, blank=True, on_delete=models.DO_NOTHING, db_constraint=False
    )
    out = models.PositiveIntegerField(default=0, editable=False)
    ahead = models.PositiveIntegerField(editable=False, help_text="Tasks that may be out at once.")
    next_at = models.DateTimeField(help_text="Nothing of it is given out before.")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep `ahead` in step with the limits."""
        self.ahead = ahead(self.max_connections, self.min_interval)
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """Refuse limits that no node could fetch under; forms call this."""
        try:
            HostLimits(self.max_connections, self.min_interval)
        except LimitError as error:
            reason = f"{error.reason[:1].upper()}{error.reason[1:]}."
            raise ValidationError({error.field: reason}) from error


class Lane(models.Model):
    """A lane that was ever used; there are as many as owners and priorities in use."""

    id = models.PositiveSmallIntegerField(primary_key=True)

    def __str__(self) -> str:
        return f"lane {self.pk}"


class HostQueue(models.Model):
    """The waiting tasks of one host in one lane.

    `due_at` is when the first of them is due, null when none waits. `ready_at`, when it may be
    given out, null when it may not, and `holder` follow from it and from the host
    (`hashworld.tasks.frontier`), so that dispatch finds work by index alone.
    """

    host = models.ForeignKey(Host, on_delete=models.CASCADE, db_constraint=False, db_index=False)
    lane = models.PositiveSmallIntegerField()
    holder = reference(Node, null=True)
    due_at = models.DateTimeField(null=True)
    arrivals = models.PositiveBigIntegerField(default=0, help_text="How often tasks have come.")
    ready_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("host", "lane"), name="hostqueue_lane"),)
        indexes = (models.Index(fields=("holder", "lane", "ready_at"), name="hostqueue_ready"),)

    def __str__(self) -> str:
        return f"lane {self.lane} of host {self.host_id}"
