"""Jobs: what was handed in, and how far it is."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models

from hashworld.tasks.states import State


class Priority(models.IntegerChoices):
    """A job's priority; with its owner it makes the lane of its tasks (`hashworld.tasks.lanes`)."""

    LOW = 0, "low"
    NORMAL = 1, "normal"
    HIGH = 2, "high"


class Duplicates(models.TextChoices):
    """What a job does with a URL it already has."""

    KEEP = "keep", "keep all"
    ONE = "one", "one per canonical URL"


class Wanted(models.TextChoices):
    """What was asked of a whole job and is being carried out."""

    KILL = "kill"
    RETRY_FAILED = "retry failed"
    RETRY_KILLED = "retry killed"
    DELETE = "delete"


class JobQuerySet(models.QuerySet["Job"]):
    """Reads of jobs."""

    def running(self) -> Self:
        """Jobs that still have something to do."""
        return self.filter(finished_at=None)

    def cut_off(self, before: datetime) -> Self:
        """Jobs whose submission has made no progress since, by the index that finds them.

        None is finished; to ask for that too would offer the index of all that are not.
        """
        return self.filter(sealed_at=None, touched_at__lt=before).order_by()

    def pursued(self) -> list[int]:
        """The ids of jobs of which something was asked that is not done yet, by two indexes."""
        asked = self.filter(asked_at__isnull=False)
        parking = self.filter(parked_to__isnull=False)
        ids = (jobs.order_by().values_list("id", flat=True)[:100] for jobs in (asked, parking))
        return sorted({job_id for found in ids for job_id in found})


class Job(models.Model):
    """One submission. The options are its tasks' options and do not change afterwards.

    The six counters are its progress; every move keeps them in the same transaction.
    """

    name = models.CharField(max_length=200, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    #: "<owner's id>:<SHA-256 of the key>", so that owners cannot meet.
    idempotency_key = models.CharField(  # noqa: DJ001 - null, for many jobs have none
        max_length=220, null=True, unique=True, editable=False
    )
    method = models.CharField(max_length=8, default="GET")
    headers = models.JSONField(default=dict, blank=True)
    body = models.BinaryField(null=True, blank=True)
    limits = models.JSONField(default=dict, blank=True, help_text="Changes to the fetch limits.")
    verify_tls = models.BooleanField(default=True)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    duplicates = models.CharField(max_length=4, choices=Duplicates, default=Duplicates.KEEP)
    max_attempts = models.PositiveSmallIntegerField(default=4)
    retry_base = models.FloatField(default=2.0, help_text="Seconds before the first retry.")
    retry_cap = models.FloatField(default=300.0, help_text="Seconds, at most, between tries.")
    keep_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Days it is kept after its end; 0 for ever."
    )

    waiting = models.BigIntegerField(default=0, editable=False)
    inqueue = models.BigIntegerField(default=0, editable=False)
    running = models.BigIntegerField(default=0, editable=False)
    runtime_error = models.BigIntegerField(default=0, editable=False)
    succeed = models.BigIntegerField(default=0, editable=False)
    killed = models.BigIntegerField(default=0, editable=False)
    refused = models.BigIntegerField(default=0, editable=False, help_text="Lines not accepted.")
    duplicated = models.BigIntegerField(default=0, editable=False)

    paused = models.BooleanField(default=False, help_text="Nothing of it is given out.")
    pause_reason = models.CharField(max_length=200, blank=True)
    parked_to = models.BigIntegerField(
        null=True,
        db_index=True,
        editable=False,
        help_text="How far, by task, a pause or its end has come; null once it is through.",
    )
    wanted = models.CharField(max_length=12, choices=Wanted, blank=True, editable=False)
    asked_at = models.DateTimeField(
        null=True, db_index=True, editable=False, help_text="When that was asked."
    )
    carried_to = models.BigIntegerField(
        default=0, editable=False, help_text="How far, by task, a retry of the job has come."
    )

    created_at = models.DateTimeField()
    touched_at = models.DateTimeField(help_text="When its submission last made progress.")
    sealed_at = models.DateTimeField(null=True, help_text="When its submission was complete.")
    finished_at = models.DateTimeField(null=True, db_index=True)
    removal_began_at = models.DateTimeField(null=True, db_index=True, editable=False)

    objects = JobQuerySet.as_manager()

    class Meta:
        permissions = (
            ("pause_job", "Can pause jobs"),
            ("view_any_job", "Can see the jobs of others"),
        )
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("keep_days", "finished_at"), name="job_keep"),
            # Each second those are looked for whose submission was cut off.
            models.Index(fields=("sealed_at", "touched_at"), name="job_unsealed"),
        )

    def __str__(self) -> str:
        return self.name or f"job {self.pk}"

    @property
    def total(self) -> int:
        """How many tasks it has."""
        return sum(self.counts().values())

    @property
    def done(self) -> int:
        """How many of its tasks are at their end."""
        return self.succeed + self.runtime_error + self.killed

    def counts(self) -> dict[State, int]:
        """Its tasks by state."""
        return {state: getattr(self, COUNTERS[state]) for state in State}


#: The column of Job that counts the tasks in each state.
COUNTERS: dict[State, str] = {state: state.name.lower() for state in State}


class JobTag(models.Model):
    """A word by which a person finds a job again."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="tags", db_index=False)
    name = models.CharField(max_length=50)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("job", "name"), name="jobtag_once"),)
        indexes = (models.Index(fields=("name", "job"), name="jobtag_name"),)

    def __str__(self) -> str:
        return self.name
