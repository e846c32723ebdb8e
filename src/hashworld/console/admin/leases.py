"""Leases: which node answers for which set of tasks, until when."""

from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hashworld.console import badges, wording
from hashworld.console.admin.base import SharedRecordAdmin
from hashworld.console.templatetags.console import ago
from hashworld.tasks.models import Lease


class OpenFilter(admin.SimpleListFilter):
    """Leases that still answer for tasks."""

    title = "state"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """The one choice beside all."""
        return [("1", "open")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Lease]) -> QuerySet[Lease]:
        """By the index (closed_at, expires_at), which few rows share."""
        return queryset.filter(closed_at=None) if self.value() else queryset


@admin.register(Lease)
class LeaseAdmin(SharedRecordAdmin):
    """The newest leases first."""

    list_display = ("lease", "node_name", "stand", "tasks_left", "created", "deadline")
    list_filter = (OpenFilter,)
    fields = (
        *("id", "node", "incarnation", "size", "left", "suspicion"),
        "created_at",
        "started_at",
        "expires_at",
        "closed_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lease]:
        """With their nodes."""
        return super().get_queryset(request).prefetch_related("node")

    @admin.display(description="Lease")
    def lease(self, shown: Lease) -> str:
        """Its number, the fencing token."""
        return f"#{shown.pk}"

    @admin.display(description="Node")
    def node_name(self, shown: Lease) -> str:
        """Whose it is."""
        return shown.node.name if shown.node else wording.NONE

    @admin.display(description="State")
    def stand(self, shown: Lease) -> SafeString:
        """Closed, started, or not taken up yet."""
        if shown.closed_at:
            return badges.badge("closed", "waiting")
        return badges.badge("started", "running") if shown.started_at else _not_started()

    @admin.display(description="Tasks left")
    def tasks_left(self, shown: Lease) -> SafeString:
        """How much of it is still to be done."""
        return format_html("{} of {}", shown.left, shown.size)

    @admin.display(description="Created")
    def created(self, shown: Lease) -> SafeString:
        """When it was given out."""
        return ago(shown.created_at)

    @admin.display(description="Deadline")
    def deadline(self, shown: Lease) -> SafeString:
        """When its tasks are taken back unless it is renewed."""
        moment: datetime | None = None if shown.closed_at else shown.expires_at
        return ago(moment)


def _not_started() -> SafeString:
    return badges.badge("handed out", "inqueue", "Its node has not taken it up yet")
