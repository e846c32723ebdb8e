"""Attempts, and the kills of those that ran."""

from django.db import models

from hashworld.nodes.models import Node
from hashworld.tasks.models.columns import reference
from hashworld.tasks.models.contents import Content
from hashworld.tasks.models.leases import Lease
from hashworld.tasks.models.tasks import Task


class Attempt(models.Model):
    """One try of one task, written once when the try ends. Times in milliseconds."""

    task = reference(Task, related_name="history")
    number = models.PositiveSmallIntegerField()
    lease = reference(Lease)
    node = reference(Node)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=24, default="", blank=True)
    detail = models.CharField(max_length=300, default="", blank=True)
    final_url = models.CharField(max_length=2048, default="", blank=True)
    redirects = models.TextField(default="", blank=True)
    headers = models.TextField(default="", blank=True)
    ip = models.CharField(max_length=45, default="", blank=True)
    content = reference(Content, null=True)
    received = models.PositiveBigIntegerField(default=0, help_text="Bytes from the network.")
    content_type = models.CharField(max_length=100, default="", blank=True)
    charset = models.CharField(max_length=40, default="", blank=True)
    title = models.CharField(max_length=300, default="", blank=True)
    dns_ms = models.FloatField(null=True)
    connect_ms = models.FloatField(null=True)
    tls_ms = models.FloatField(null=True)
    first_byte_ms = models.FloatField(null=True)
    total_ms = models.FloatField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("task", "number"), name="attempt_once"),)
        indexes = (models.Index(fields=("content",), name="attempt_content"),)

    def __str__(self) -> str:
        return f"attempt {self.number} of task {self.task_id}"


class Kill(models.Model):
    """The kill of a try that ran: its node confirms it, or is fenced, or both in this order.

    What only waited or was in queue needs no row: nothing of it ran, its kill is its end.
    """

    task = reference(Task, related_name="kills")
    number = models.PositiveSmallIntegerField(help_text="Of the attempt.")
    lease = reference(Lease)
    asked_at = models.DateTimeField(help_text="When it was committed that it shall end.")
    confirmed_at = models.DateTimeField(null=True, help_text="Its node said that it is cut off.")
    fenced_at = models.DateTimeField(
        null=True, help_text="Its node lost the lease before it had confirmed."
    )

    class Meta:
        constraints = (models.UniqueConstraint(fields=("task", "number"), name="kill_once"),)
        indexes = (
            models.Index(fields=("lease",), name="kill_lease"),
            models.Index(fields=("confirmed_at", "fenced_at"), name="kill_open"),
        )

    def __str__(self) -> str:
        return f"kill of attempt {self.number} of task {self.task_id}"
