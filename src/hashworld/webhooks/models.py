"""Webhooks, the messages that they are owed, and what came of every try to deliver one."""

from typing import Self

from django.conf import settings
from django.db import models

from hashworld.tasks.events import Kind, Listeners

#: What a webhook may be told of.
KINDS = (
    Kind.TASK_FINISHED,
    Kind.JOB_FINISHED,
    Kind.NODE_DEAD,
    Kind.SCHEDULE_SKIPPED,
    Kind.WEBHOOK_DISABLED,
)


class WebhookQuerySet(models.QuerySet["Webhook"]):
    """Reads of webhooks."""

    def active(self) -> Self:
        """Those that are sent to."""
        return self.filter(disabled_at=None)

    def listeners(self) -> Listeners:
        """Whose single tasks are told of."""
        wanted = [
            (job_id, owner_id)
            for job_id, owner_id, kinds in self.active().values_list("job_id", "owner_id", "kinds")
            if Kind.TASK_FINISHED in kinds
        ]
        jobs = frozenset(job_id for job_id, _ in wanted if job_id)
        return Listeners(jobs, frozenset(owner for job_id, owner in wanted if not job_id))


class Webhook(models.Model):
    """Where a person wants to be told of all that is theirs, or of one job."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks"
    )
    job_id = models.BigIntegerField(
        null=True, blank=True, db_index=True, help_text="Only of this job; of all when empty."
    )
    url = models.CharField(max_length=2048)
    kinds = models.JSONField(default=list)
    #: "whsec_" and 32 bytes in base64. It signs, so it must be known.
    secret = models.CharField(max_length=100, editable=False)
    former_secret = models.CharField(max_length=100, blank=True, editable=False)
    former_until = models.DateTimeField(
        null=True, editable=False, help_text="Until then it signs with the former secret too."
    )
    created_at = models.DateTimeField()
    failing_since = models.DateTimeField(null=True, help_text="Nothing was delivered since.")
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=200, blank=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.url[:100]


class State(models.TextChoices):
    """What became of a message."""

    WAITING = "waiting", "waiting"
    DELIVERED = "delivered", "delivered"
    FAILED = "failed", "given up"


class Message(models.Model):
    """One event for one webhook; sent until it is delivered or a day is over."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="messages")
    #: The same at every try, so that receivers know repeats.
    uid = models.CharField(max_length=40, unique=True)
    kind = models.CharField(max_length=24)
    payload = models.TextField(help_text="The body, byte by byte as it is signed.")
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, help_text="When it is sent; null when it is not.")
    claim = models.CharField(max_length=32, blank=True, help_text="Which sender has it.")
    created_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("due_at",), name="message_due"),)

    def __str__(self) -> str:
        return self.uid


class Delivery(models.Model):
    """One try to deliver a message: what was sent, and what was answered."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="deliveries")
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    headers = models.JSONField(default=dict, help_text="As they were sent.")
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=24, blank=True)
    detail = models.CharField(max_length=300, blank=True)
    answer = models.TextField(blank=True, help_text="The beginning of the answer.")
    seconds = models.FloatField(default=0)

    class Meta:
        ordering = ("number",)

    def __str__(self) -> str:
        return f"try {self.number} of {self.message_id}"


class Reader(models.Model):
    """How far the events have been read; one row."""

    ID = 1

    position = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"event {self.position}"
