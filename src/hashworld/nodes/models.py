"""Nodes and the lands they own."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models

#: The number of slots of the hash space; a host's land never changes, its owner may.
LANDS = 1024
#: A node that has missed so many heartbeats is given nothing new.
MISSED_BEATS = 2


class NodeState(models.TextChoices):
    """What a node last said of itself; whether it is still there, `Node.seen_at` tells."""

    ALIVE = "alive"
    DRAINING = "draining"
    LEFT = "left"


class NodeQuerySet(models.QuerySet["Node"]):
    """Reads of nodes."""

    def alive(self, now: datetime) -> Self:
        """Nodes that take work: not draining, and heard of within one lease's length."""
        return self.filter(state=NodeState.ALIVE, seen_at__gt=now - silence())

    def available(self, now: datetime) -> Self:
        """Live nodes that may be given work: those that have not missed two heartbeats."""
        return self.alive(now).filter(seen_at__gt=now - suspicion())


def silence() -> timedelta:
    """How long a node may be silent before its work is given to others."""
    return timedelta(seconds=settings.ENV.lease_seconds)


def suspicion() -> timedelta:
    """How long a node may be silent before it is given nothing new."""
    return timedelta(seconds=MISSED_BEATS * settings.ENV.heartbeat_seconds)


class Node(models.Model):
    """One Celery worker process with one engine; `incarnation` is new at every start."""

    name = models.CharField(max_length=64, unique=True)
    incarnation = models.CharField(max_length=32)
    state = models.CharField(max_length=8, choices=NodeState, default=NodeState.ALIVE)
    hostname = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=32)
    max_tasks = models.PositiveIntegerField(help_text="Fetches it may have in flight.")
    in_flight = models.PositiveIntegerField(default=0)
    cpu_percent = models.FloatField(default=0)
    memory_mb = models.FloatField(default=0)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)

    objects = NodeQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Land(models.Model):
    """One of the 1,024 slots of the hash space; its hosts are fetched by its node."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    node = models.ForeignKey(
        Node, null=True, blank=True, on_delete=models.SET_NULL, related_name="lands"
    )

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"land {self.id}"
