"""What the remote door keeps."""

from django.conf import settings
from django.db import models


class TaskName(models.Model):
    """A client's own id of a task that it created; `task_id` is null until it is submitted."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False)
    #: Compared byte by byte on every database: names that differ in case are two.
    digest = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    task_id = models.BigIntegerField(null=True, db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("owner", "digest"), name="taskname_once"),)

    def __str__(self) -> str:
        return self.name


class NodeToken(models.Model):
    """The proof of a node that comes by this door; only a digest of it is kept."""

    node = models.CharField(max_length=80, unique=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.node
