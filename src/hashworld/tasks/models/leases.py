"""Leases: what nodes have been handed."""

from datetime import datetime
from typing import Self

from django.db import models

from hashworld.nodes.models import Node


class LeaseQuerySet(models.QuerySet["Lease"]):
    """Reads of leases."""

    def open(self) -> Self:
        """Leases that still answer for tasks."""
        return self.filter(closed_at=None)

    def expired(self, now: datetime) -> Self:
        """Open leases whose node neither started nor renewed them in time."""
        return self.open().filter(expires_at__lt=now)


class Lease(models.Model):
    """A set of tasks handed to one node until a deadline; its id is the fencing token."""

    node = models.ForeignKey(
        Node, on_delete=models.CASCADE, db_constraint=False, related_name="leases"
    )
    incarnation = models.CharField(max_length=32)
    size = models.PositiveIntegerField(help_text="Tasks handed over.")
    left = models.PositiveIntegerField(help_text="Tasks that it still answers for.")
    suspicion = models.PositiveSmallIntegerField(
        default=0, help_text="The most losses of any of its tasks when it was made."
    )
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    objects = LeaseQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("closed_at", "expires_at"), name="lease_open"),)

    def __str__(self) -> str:
        return f"lease {self.pk}"
