"""Recurring jobs, their firings, and how far every schedule is decided."""

from typing import Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django_celery_beat.models import PeriodicTask

from hashworld.recurring.policy import CatchUp, Overlap
from hashworld.tasks.models import Job, reference


class Cursor(models.Model):
    """How far a periodic task is decided: a slot up to this one fires no more.

    It moves forward only, by compare-and-set under the master's term, before anything is
    published. `published` is false while the message of the slot is not known to be out.
    """

    periodic_task = models.OneToOneField(
        PeriodicTask, primary_key=True, on_delete=models.CASCADE, related_name="cursor"
    )
    slot = models.DateTimeField()
    term = models.BigIntegerField(help_text="The term of the master that decided it.")
    published = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.periodic_task_id} up to {self.slot:%Y-%m-%d %H:%M:%S}"


class RecurringQuerySet(models.QuerySet["Recurring"]):
    """Reads of recurring jobs."""

    def light(self) -> Self:
        """Without their lists of URLs, with all that their schedules are made of."""
        timing = ("crontab", "interval", "clocked", "cursor")
        return self.defer("urls").select_related(
            "periodic_task", *(f"periodic_task__{name}" for name in timing)
        )


class Recurring(models.Model):
    """The template of a job, and when it is submitted again and again."""

    #: Its timing; enabled while it is neither paused nor over.
    periodic_task = models.OneToOneField(
        PeriodicTask, on_delete=models.PROTECT, related_name="recurring", editable=False
    )
    name = models.CharField(max_length=160)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    urls = models.TextField(help_text="One on each line.")
    #: Of JobSpec, under the same names; `body` as text.
    options = models.JSONField(default=dict)
    timezone = models.CharField(max_length=64, default="UTC")
    overlap = models.CharField(max_length=5, choices=Overlap, default=Overlap.SKIP)
    catch_up = models.CharField(max_length=4, choices=CatchUp, default=CatchUp.LAST)
    window = models.PositiveIntegerField(
        default=3600, help_text="Seconds back within which missed slots are made up for."
    )
    paused = models.BooleanField(default=False)
    pause_reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    objects = RecurringQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name = "recurring job"

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which it is told and planned."""
        return ZoneInfo(self.timezone)


class FiringState(models.TextChoices):
    """What became of a firing."""

    WAITING = "waiting", "waiting"
    SUBMITTED = "submitted", "submitted"
    SKIPPED = "skipped", "skipped"
    MISSED = "missed", "missed"
    FAILED = "failed", "failed"


class Firing(models.Model):
    """A slot of a recurring job that was decided, once; waits until its job is submitted."""

    recurring = models.ForeignKey(Recurring, on_delete=models.CASCADE, related_name="firings")
    slot = models.DateTimeField()
    manual = models.BooleanField(default=False, help_text="Asked for by a person.")
    state = models.CharField(max_length=9, choices=FiringState, default=FiringState.WAITING)
    reason = models.CharField(max_length=300, blank=True)
    job = reference(Job, null=True)
    claimed_at = models.DateTimeField(null=True, help_text="When its submission began.")

    class Meta:
        ordering = ("-slot",)
        constraints = (models.UniqueConstraint(fields=("recurring", "slot"), name="firing_once"),)
        indexes = (models.Index(fields=("state", "recurring"), name="firing_state"),)

    def __str__(self) -> str:
        return f"{self.slot:%Y-%m-%d %H:%M:%S} of recurring job {self.recurring_id}"
