"""Nodes, the lands they own, and which process leads them."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models

#: The number of slots of the hash space; a host's land never changes, its owner may.
LANDS = 1024
#: The most fetches that a node may have in flight.
MAX_TASKS = 10_000
#: A node that has missed so many heartbeats is given nothing new.
MISSED_BEATS = 2
#: An engine whose loop has not turned for so many seconds is taken for stuck.
STUCK = 10.0


class NodeState(models.TextChoices):
    """What a node last said of itself; whether it is still there, `Node.seen_at` tells."""

    JOINING = "joining"
    ALIVE = "alive"
    DRAINING = "draining"
    LEFT = "left"


class Standing(models.TextChoices):
    """How a node stands: what it last said, unless it has been silent for too long."""

    JOINING = "joining"
    ALIVE = "alive"
    DRAINING = "draining"
    SUSPECTED = "suspected"
    DEAD = "dead"
    LEFT = "left"


class NodeQuerySet(models.QuerySet["Node"]):
    """Reads of nodes."""

    def alive(self, now: datetime) -> Self:
        """Nodes that take work: not draining, and heard of within one lease's length."""
        return self.filter(state=NodeState.ALIVE, seen_at__gt=now - silence())

    def available(self, now: datetime) -> Self:
        """Nodes that may be given work: not paused, at most one heartbeat late, not stuck."""
        on_time = self.alive(now).filter(seen_at__gt=now - suspicion(), paused=False)
        on_time = on_time.filter(tick_age__lt=STUCK)
        return on_time.exclude(models.Exists(Cluster.objects.filter(paused=True)))


def silence() -> timedelta:
    """How long a node may be silent before its work is given to others."""
    return timedelta(seconds=settings.ENV.lease_seconds)


def deaf(deaf_at: datetime | None, now: datetime) -> bool:
    """Whether a node that let a lease lie at `deaf_at` is passed over still."""
    return deaf_at is not None and deaf_at > now - silence()


def suspicion() -> timedelta:
    """How long a node may be silent before it is given nothing new."""
    return timedelta(seconds=MISSED_BEATS * settings.ENV.heartbeat_seconds)


class Cluster(models.Model):
    """What holds for all nodes; one row, made when it is first needed."""

    ID = 1

    paused = models.BooleanField(default=False)
    pause_reason = models.CharField(max_length=200, blank=True)
    paused_by = models.CharField(max_length=150, blank=True)
    paused_at = models.DateTimeField(null=True)
    broker_lost_at = models.DateTimeField(
        null=True, help_text="Since when nobody has reached the broker to give work out."
    )

    class Meta:
        permissions = (("pause_cluster", "Can pause the cluster"),)

    def __str__(self) -> str:
        return "the cluster"


class Node(models.Model):
    """One Celery worker process with one engine; `incarnation` is new at every start."""

    name = models.CharField(max_length=80, unique=True)
    incarnation = models.CharField(max_length=32)
    state = models.CharField(max_length=8, choices=NodeState, default=NodeState.ALIVE)
    hostname = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    boot_id = models.CharField(
        max_length=64, blank=True, help_text="Where `pid` means something; new at every boot."
    )
    address = models.CharField(
        max_length=255, blank=True, help_text="Its name for Celery's control commands."
    )
    queues = models.CharField(max_length=255, blank=True, help_text="What it consumes.")
    version = models.CharField(max_length=32)
    max_tasks = models.PositiveIntegerField(help_text="Fetches it may have in flight.")
    in_flight = models.PositiveIntegerField(default=0)
    tick_age = models.FloatField(
        default=0, help_text="Seconds since its engine's loop last turned, at its last heartbeat."
    )
    deaf_at = models.DateTimeField(
        null=True, help_text="When a lease was last taken back that it had not begun in time."
    )
    cpu_percent = models.FloatField(default=0)
    memory_mb = models.FloatField(default=0)
    paused = models.BooleanField(default=False, help_text="It is given nothing new.")
    pause_reason = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)

    objects = NodeQuerySet.as_manager()

    class Meta:
        permissions = (("control_node", "Can pause, drain and resize nodes"),)
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def standing(self, now: datetime) -> Standing:
        """How it stands at this moment of the database's clock."""
        if self.state == NodeState.LEFT:
            return Standing.LEFT
        if self.seen_at <= now - silence():
            return Standing.DEAD
        idle = self.state == NodeState.ALIVE and (self.is_deaf(now) or self.is_stuck)
        if self.is_late(now) or idle:
            return Standing.SUSPECTED
        return Standing(self.state)

    def is_late(self, now: datetime) -> bool:
        """Whether it has missed heartbeats."""
        return self.seen_at <= now - suspicion()

    @property
    def is_stuck(self) -> bool:
        """Whether its engine's loop stood still when it was last heard of."""
        return self.tick_age >= STUCK

    def is_deaf(self, now: datetime) -> bool:
        """Whether it lately did not begin with what it was given: messages may not reach it."""
        return deaf(self.deaf_at, now)


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


class Leadership(models.Model):
    """The one row that says which process is the master, under which term, and until when.

    The term rises at every change of holder; what the master writes carries it (contract C7).
    """

    id = models.PositiveSmallIntegerField(primary_key=True)
    holder = models.CharField(max_length=255, blank=True)
    term = models.BigIntegerField()
    since = models.DateTimeField(help_text="When this term began.")
    renewed_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "leadership"

    def __str__(self) -> str:
        return f"{self.holder or 'nobody'}, term {self.term}"

    @property
    def name(self) -> str:
        """The holder without its incarnation."""
        return self.holder.rpartition("/")[0] or self.holder
