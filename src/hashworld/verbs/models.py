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
