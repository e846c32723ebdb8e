"""Attempts: every try of every task, in the order they ended."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hashworld.console import badges, wording
from hashworld.console.admin.base import SharedRecordAdmin
from hashworld.console.templatetags.console import ago
from hashworld.tasks.models import Attempt


@admin.register(Attempt)
class AttemptAdmin(SharedRecordAdmin):
    """The newest first; an attempt is read on its task's page."""

    list_display = ("task_link", "try_number", "outcome", "node_name", "took", "size", "ended")
    search_fields = ("task_id",)
    search_help_text = "Number of a task"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        """With their nodes, without the long columns."""
        return super().get_queryset(request).prefetch_related("node").defer("headers", "redirects")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Attempt], search_term: str
    ) -> tuple[QuerySet[Attempt], bool]:
        """Those of one task."""
        if not search_term:
            return queryset, False
        number = search_term.strip().lstrip("#")
        if not (number.isascii() and number.isdecimal() and len(number) <= 18):
            return queryset.none(), False
        return queryset.filter(task_id=int(number)).order_by("-number"), False

    def change_view(
        self, request: HttpRequest, object_id: str, *args: object, **kwargs: object
    ) -> HttpResponse:
        """The page of its task, at this attempt."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = self.get_object(request, object_id)
        if shown is None:
            return self.missing(request, object_id)
        task = reverse("admin:tasks_task_change", args=[shown.task_id])
        return redirect(f"{task}#attempt-{shown.number}")

    @admin.display(description="Task")
    def task_link(self, shown: Attempt) -> str:
        """Which task it tried."""
        return f"#{shown.task_id}"

    @admin.display(description="Try")
    def try_number(self, shown: Attempt) -> int:
        """Which try of its task it was."""
        return shown.number

    @admin.display(description="Outcome")
    def outcome(self, shown: Attempt) -> SafeString:
        """The status and, where it failed, the kind of error."""
        tone = "runtime-error" if shown.error else "succeed"
        word = badges.badge(wording.words(shown.error) or "fetched", tone, shown.detail)
        return format_html("{} {}", shown.status or "", word)

    @admin.display(description="Node")
    def node_name(self, shown: Attempt) -> str:
        """Who tried."""
        return shown.node.name if shown.node else wording.NONE

    @admin.display(description="Took")
    def took(self, shown: Attempt) -> str:
        """All hops together."""
        return wording.NONE if shown.total_ms is None else wording.duration(shown.total_ms / 1000)

    @admin.display(description="Received")
    def size(self, shown: Attempt) -> str:
        """Bytes from the network."""
        return wording.size(shown.received)

    @admin.display(description="Ended")
    def ended(self, shown: Attempt) -> SafeString:
        """When it ended."""
        return ago(shown.finished_at)
