"""Quotas of people, and what they have used."""

from django.conf import settings
from django.db import models


class Quota(models.Model):
    """What a person, or each member of a group, may have; empty means as much as they like.

    A person's own row counts alone; without one, the most generous of their groups.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE
    )
    group = models.OneToOneField("auth.Group", null=True, blank=True, on_delete=models.CASCADE)
    unfinished = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Tasks that have not ended, at once."
    )
    daily = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Tasks handed in on one day, by UTC."
    )
    bytes = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Bytes of the bodies that are kept for them."
    )

    class Meta:
        constraints = (
            models.CheckConstraint(
                # Not by XOR, which MariaDB reads otherwise beside IS NULL.
                condition=models.Q(user__isnull=True, group__isnull=False)
                | models.Q(user__isnull=False, group__isnull=True),
                name="quota_of_one",
                violation_error_message="Choose either a person or a group.",
            ),
        )

    def __str__(self) -> str:
        return f"quota of {self.user or self.group}"


class Usage(models.Model):
    """How many tasks a person with a daily quota handed in on one day."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    day = models.DateField()
    tasks = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("owner", "day"), name="usage_once"),)

    def __str__(self) -> str:
        return f"{self.owner} on {self.day}"
