"""What the verbs keep of their own: the audit, quotas and their use, and bulk operations."""

from django.conf import settings
from django.db import models


class AuditEntry(models.Model):
    """One verb of an operator: who, what, to what, why, and to how many. Never changed."""

    at = models.DateTimeField(db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor_name = models.CharField(max_length=150)
    verb = models.CharField(max_length=40)
    target = models.CharField(max_length=300)
    number = models.PositiveBigIntegerField(default=1, help_text="To how many it was done.")
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("-id",)
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.verb} {self.target}"


class OperationState(models.TextChoices):
    """How far a bulk operation is."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Operation(models.Model):
    """A verb on every task that matches a filter, carried out in the background.

    `job` and `task` say how far it has come; whoever carries on begins there.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    verb = models.CharField(max_length=10)
    wanted = models.JSONField(help_text="The filter.")
    reason = models.CharField(max_length=300, blank=True)
    state = models.CharField(
        max_length=9, choices=OperationState, default=OperationState.RUNNING, db_index=True
    )
    failure = models.CharField(max_length=300, blank=True)
    newest_job = models.BigIntegerField(help_text="Jobs that came later are not touched.")
    job = models.BigIntegerField(null=True, help_text="Where it is; null at its beginning.")
    task = models.BigIntegerField(default=0)
    total = models.PositiveBigIntegerField(help_text="Tasks that could match when it began.")
    matched = models.PositiveBigIntegerField(default=0)
    done = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"operation {self.pk}: {self.verb}"
