"""What happened, counted by the minute and by the hour."""

from django.db import models

from hashworld.nodes.models import Node
from hashworld.tasks.models.columns import count, reference


class Counts(models.Model):
    """What happened of one kind in a span of time (`hashworld.tasks.counts`).

    The last columns are a histogram of how long tries took, each counted once: in the first column
    whose milliseconds it did not pass (`hashworld.tasks.latency`).
    """

    kind = models.CharField(max_length=24, help_text="How a try ended, or what else is counted.")
    number = count()
    bytes = count()
    milliseconds = count()
    ms_10 = count()
    ms_25 = count()
    ms_50 = count()
    ms_100 = count()
    ms_250 = count()
    ms_500 = count()
    ms_1000 = count()
    ms_2500 = count()
    ms_5000 = count()
    ms_10000 = count()
    ms_30000 = count()
    ms_more = count()

    class Meta:
        abstract = True


class Minute(Counts):
    """One minute of one node."""

    minute = models.DateTimeField()
    node = reference(Node)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("minute", "node", "kind"), name="minute_once"),
        )

    def __str__(self) -> str:
        return f"{self.kind} at {self.minute:%Y-%m-%d %H:%M} on node {self.node_id}"


class Hour(Counts):
    """One hour of the cluster, rolled up from its minutes."""

    hour = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("hour", "kind"), name="hour_once"),)

    def __str__(self) -> str:
        return f"{self.kind} at {self.hour:%Y-%m-%d %H:%M}"
