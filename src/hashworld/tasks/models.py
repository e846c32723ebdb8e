"""What is kept of jobs and tasks.

Index design, for 100 million tasks: a task is found by its id, in its job, in its host's lane by
due time while it waits (`due_at` is null in every other state, and `lane` while its job is paused
too), under its lease, by
the state in which it ended from the newest job down, and by its URL's hash. An index over every
state would be written four times for each task and not once. Rows of tasks and attempts are written
in sets by plain SQL, without foreign-key checks: each would lock the parent row at every insert.
"""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models

from hashworld.nodes.models import Node
from hashworld.tasks.states import OUT, TERMINAL, State

#: How many of a host's tasks may be out at once, per connection that the host allows; and, where
#: it asks for an interval between fetches, no more than it takes in this many seconds.
AHEAD_PER_CONNECTION = 16
AHEAD_SECONDS = 10


class Priority(models.IntegerChoices):
    """A job's priority; with its owner it makes the lane of its tasks (`hashworld.tasks.lanes`)."""

    LOW = 0, "low"
    NORMAL = 1, "normal"
    HIGH = 2, "high"


class Duplicates(models.TextChoices):
    """What a job does with a URL it already has."""

    KEEP = "keep", "keep all"
    ONE = "one", "one per canonical URL"


def reference(to: str | type[models.Model], **options: Any) -> models.ForeignKey[Any, Any]:
    """A relation without a constraint or an index of its own."""
    return models.ForeignKey(
        to, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, **options
    )


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
        indexes = (models.Index(fields=("keep_days", "finished_at"), name="job_keep"),)

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


def ahead(max_connections: int, min_interval: float) -> int:
    """How many tasks of a host with these limits may be out at once."""
    most = max_connections * AHEAD_PER_CONNECTION
    return min(most, max(1, int(AHEAD_SECONDS / min_interval))) if min_interval else most


class Host(models.Model):
    """A target host: its limits, and which node holds it while any of its tasks is out."""

    name = models.CharField(max_length=253, unique=True)
    land = models.PositiveSmallIntegerField()
    max_connections = models.PositiveSmallIntegerField(help_text="Simultaneous connections.")
    min_interval = models.FloatField(help_text="Seconds between the starts of two fetches.")
    paused = models.BooleanField(default=False)
    pause_reason = models.CharField(max_length=200, blank=True)
    holder = models.ForeignKey(
        Node, null=True, blank=True, on_delete=models.DO_NOTHING, db_constraint=False
    )
    out = models.PositiveIntegerField(default=0, editable=False)
    ahead = models.PositiveIntegerField(editable=False, help_text="Tasks that may be out at once.")
    next_at = models.DateTimeField(help_text="Nothing of it is given out before.")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep `ahead` in step with the limits."""
        self.ahead = ahead(self.max_connections, self.min_interval)
        super().save(*args, **kwargs)


class Lane(models.Model):
    """A lane that was ever used; there are as many as owners and priorities in use."""

    id = models.PositiveSmallIntegerField(primary_key=True)

    def __str__(self) -> str:
        return f"lane {self.pk}"


class HostQueue(models.Model):
    """The waiting tasks of one host in one lane.

    `due_at` is when the first of them is due, null when none waits. `ready_at`, when it may be
    given out, null when it may not, and `holder` follow from it and from the host
    (`hashworld.tasks.frontier`), so that dispatch finds work by index alone.
    """

    host = models.ForeignKey(Host, on_delete=models.CASCADE, db_constraint=False, db_index=False)
    lane = models.PositiveSmallIntegerField()
    holder = reference(Node, null=True)
    due_at = models.DateTimeField(null=True)
    arrivals = models.PositiveBigIntegerField(default=0, help_text="How often tasks have come.")
    ready_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("host", "lane"), name="hostqueue_lane"),)
        indexes = (models.Index(fields=("holder", "lane", "ready_at"), name="hostqueue_ready"),)

    def __str__(self) -> str:
        return f"lane {self.lane} of host {self.host_id}"


class TaskQuerySet(models.QuerySet["Task"]):
    """Reads of tasks."""

    def in_state(self, state: State) -> Self:
        """Tasks in a state, by the index that finds them."""
        if state in TERMINAL:
            return self.filter(ended=state)
        if state in OUT:
            return self.filter(lease__in=Lease.objects.open().values("pk"), state=state)
        return self.filter(ended=None, state=state)

    def of_url(self, url_hash: int) -> Self:
        """Tasks of one canonical URL."""
        return self.filter(url_hash=url_hash)


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


class Content(models.Model):
    """A fetched body, kept once per SHA-256; `store` and the place say where its bytes are."""

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.PositiveBigIntegerField(help_text="Bytes of the body.")
    stored = models.PositiveBigIntegerField(help_text="Bytes as kept, compressed.")
    store = models.CharField(max_length=8)
    pack = models.CharField(max_length=100, blank=True)
    offset = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.sha256[:12]


class Blob(models.Model):
    """The compressed bytes of a content that is kept in the database."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    data = models.BinaryField()

    def __str__(self) -> str:
        return self.sha256[:12]


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


class Pack(models.Model):
    """What is dead in a pack: a hint of where space can be won back."""

    name = models.CharField(max_length=100, primary_key=True)
    dead = models.PositiveBigIntegerField(
        default=0, help_text="Bytes that no content names, as far as is known."
    )
    surveyed_at = models.DateTimeField(null=True, help_text="When its records were looked up.")

    def __str__(self) -> str:
        return self.name


def count() -> models.PositiveBigIntegerField[int, int]:
    """A column that is only ever added to."""
    return models.PositiveBigIntegerField(default=0)


class Counts(models.Model):
    """What happened of one kind in a span of time (`hashworld.tasks.counts`).

    The last columns are a histogram of how long tries took, each counted once: in the first column
    whose milliseconds it did not pass (`hashworld.tasks.latency`).
    """

    kind = models.CharField(max_length=24, help_text="How a try ended, or what else is counted.")
    number = count()
    bytes = count()
    milliseconds = count()
    ms_10 = count()
    ms_25 = count()
    ms_50 = count()
    ms_100 = count()
    ms_250 = count()
    ms_500 = count()
    ms_1000 = count()
    ms_2500 = count()
    ms_5000 = count()
    ms_10000 = count()
    ms_30000 = count()
    ms_more = count()

    class Meta:
        abstract = True


class Minute(Counts):
    """One minute of one node."""

    minute = models.DateTimeField()
    node = reference(Node)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("minute", "node", "kind"), name="minute_once"),
        )

    def __str__(self) -> str:
        return f"{self.kind} at {self.minute:%Y-%m-%d %H:%M} on node {self.node_id}"


class Hour(Counts):
    """One hour of the cluster, rolled up from its minutes."""

    hour = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("hour", "kind"), name="hour_once"),)

    def __str__(self) -> str:
        return f"{self.kind} at {self.hour:%Y-%m-%d %H:%M}"


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
