"""Tasks: the URLs to fetch."""

from typing import Self

from django.db import models

from hashworld.tasks.models.columns import reference
from hashworld.tasks.models.hosts import Host
from hashworld.tasks.models.jobs import Job
from hashworld.tasks.models.leases import Lease
from hashworld.tasks.states import OUT, TERMINAL, State


class TaskQuerySet(models.QuerySet["Task"]):
    """Reads of tasks."""

    def in_state(self, state: State) -> Self:
        """Tasks in a state, by the index that finds them."""
        if state in TERMINAL:
            return self.filter(ended=state)
        if state in OUT:
            return self.filter(lease__in=Lease.objects.open().values("pk"), state=state)
        return self.filter(ended=None, state=state)


class Task(models.Model):
    """One URL to fetch."""

    job = reference(Job, related_name="tasks")
    host = reference(Host, related_name="tasks")
    url = models.CharField(max_length=2048)
    url_hash = models.BigIntegerField(editable=False)
    state = models.PositiveSmallIntegerField(choices=State.choices, default=State.WAITING)
    ended = models.PositiveSmallIntegerField(
        null=True, choices=State.choices, editable=False, help_text="The state at its end."
    )
    lane = models.PositiveSmallIntegerField(null=True)
    due_at = models.DateTimeField(null=True)
    lease = reference("Lease", null=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Tries on record.")
    failures = models.PositiveSmallIntegerField(default=0, help_text="Errors since submission.")
    losses = models.PositiveSmallIntegerField(default=0, help_text="Nodes lost under it.")
    error = models.CharField(max_length=24, default="", blank=True)
    status = models.PositiveSmallIntegerField(null=True)
    content = reference("Content", null=True)
    finished_at = models.DateTimeField(null=True)

    objects = TaskQuerySet.as_manager()

    class Meta:
        permissions = (("kill_task", "Can kill tasks"), ("retry_task", "Can retry tasks"))
        indexes = (
            models.Index(fields=("host", "lane", "due_at"), name="task_due"),
            models.Index(fields=("job",), name="task_job"),
            models.Index(fields=("ended", "job"), name="task_ended"),
            models.Index(fields=("lease",), name="task_lease"),
            models.Index(fields=("url_hash",), name="task_url"),
        )

    def __str__(self) -> str:
        return f"task {self.pk}"
