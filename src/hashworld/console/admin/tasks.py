"""Tasks: the list that finds one among millions, and the page that tells its whole story."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from hashworld import download
from hashworld.console import actions, badges, search, task_page, wording
from hashworld.console.acting import perform, person
from hashworld.console.actions import DELETE, KILL, RETRY, Action
from hashworld.console.admin.base import RecordAdmin
from hashworld.console.task_filters import JobFilter, StateFilter, order, tabs
from hashworld.console.templatetags.console import ago
from hashworld.console.text import visible
from hashworld.tasks.models import Job, Task
from hashworld.verbs import rights
from hashworld.verbs import tasks as verbs


@admin.register(Task)
class TaskAdmin(RecordAdmin):
    """Read by index whatever is asked for; moved by actions alone."""

    list_display = ("number", "address", "stand", "result", "tries", "job_name", "ended")
    list_display_links = ("number",)
    list_filter = (StateFilter, JobFilter)
    list_before_template = "console/task_tabs.html"
    search_fields = ("id",)
    search_help_text = "Task number, exact URL or host"
    actions = ("kill_selected", "retry_selected", "delete_selected")

    def get_urls(self) -> list[URLPattern]:
        """The page's own addresses, before those of Django's admin."""
        view = self.admin_site.admin_view
        acts = [
            path(
                f"<int:task_id>/{action.verb}/",
                view(require_POST(self._act_view(action))),
                name=f"tasks_task_{action.verb}",
            )
            for action in (KILL, RETRY, DELETE)
        ]
        # "cacheable" as far as Django goes: the attachment says itself that it is not.
        body_view = view(self.body_view, cacheable=True)
        body = path("<int:task_id>/body/", body_view, name="tasks_task_body")
        return [*acts, body, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        """With jobs by a second query: as joins they tempt MySQL to begin with the small table."""
        tasks: QuerySet[Task] = super().get_queryset(request).prefetch_related("job")
        if rights.sees_all(person(request)):
            return tasks
        return tasks.filter(job__in=Job.objects.filter(owner=person(request)).values("pk"))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """The order of the index that the filters use."""
        return order(request.GET)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        """By number, exact URL or host."""
        return (search.tasks(queryset, search_term) if search_term.strip() else queryset), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list under a row of states."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = tabs(request.GET, rights.jobs(person(request)))
        return super().changelist_view(request, {**(extra_context or {}), "tabs": shown})

    def change_view(
        self, request: HttpRequest, object_id: str, *args: object, **kwargs: object
    ) -> HttpResponse:
        """The story of one task."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = self.get_object(request, object_id)
        if shown is None:
            return self.missing(request, object_id)
        sees_body = request.user.has_perm("tasks.view_content")
        found = task_page.read(shown, with_body=sees_body)
        verbs = {
            f"can_{action.verb}": actions.allowed_on(request, action, shown.job)
            for action in (KILL, RETRY, DELETE)
        }
        context = {"page": found, "task": shown, "sees_body": sees_body, **verbs}
        return self.page(request, shown, "console/task.html", context)

    def body_view(self, request: HttpRequest, task_id: int) -> HttpResponse:
        """The body as a file."""
        body = perform(request, lambda: verbs.body(person(request), task_id))
        if body is None:
            return redirect("admin:tasks_task_change", task_id)
        return download.attachment(body, f"task-{task_id}.bin")

    def _act_view(self, action: Action) -> Any:
        def view(request: HttpRequest, task_id: int) -> HttpResponse:
            shown = perform(request, lambda: verbs.get(person(request), task_id))
            if shown is None:
                return redirect("admin:tasks_task_changelist")
            if not actions.allowed_on(request, action, shown.job):
                raise PermissionDenied
            actions.run(request, action, [task_id])
            self.log_change(request, shown, f"Asked to {action.verb}.")
            still_there = Task.objects.filter(pk=task_id).exists()
            return (
                redirect("admin:tasks_task_change", task_id)
                if still_there
                else redirect("admin:tasks_task_changelist")
            )

        return view

    def _selected(self, request: HttpRequest, action: Action, queryset: QuerySet[Task]) -> None:
        """Never more than a page, whatever the request claims to have selected."""
        chosen = queryset.order_by("pk").values_list("pk", flat=True)[: self.list_per_page]
        actions.run(request, action, chosen)

    def has_kill_permission(self, request: HttpRequest) -> bool:
        """Whether the action is offered."""
        return actions.allowed(request, KILL)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Whether the action is offered."""
        return actions.allowed(request, RETRY)

    def has_remove_permission(self, request: HttpRequest) -> bool:
        """Whether the action is offered."""
        return actions.allowed(request, DELETE)

    @admin.action(description="Kill", permissions=["kill"])
    def kill_selected(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """End those that have not ended."""
        self._selected(request, KILL, queryset)

    @admin.action(description="Retry", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """Let those that have ended wait again."""
        self._selected(request, RETRY, queryset)

    @admin.action(description="Delete", permissions=["remove"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """Delete those that have ended, with their attempts."""
        self._selected(request, DELETE, queryset)

    @admin.display(description="Task")
    def number(self, shown: Task) -> str:
        """Its number."""
        return f"#{shown.pk}"

    @admin.display(description="URL")
    def address(self, shown: Task) -> SafeString:
        """What it fetches."""
        text = visible(shown.url)
        return format_html('<span class="hw-url" title="{}">{}</span>', text, text)

    @admin.display(description="State")
    def stand(self, shown: Task) -> SafeString:
        """Where it is."""
        return badges.state(shown.state)

    @admin.display(description="Result")
    def result(self, shown: Task) -> str:
        """The status and, where it failed, the kind of error."""
        return f"{shown.status or ''} {wording.words(shown.error)}".strip() or wording.NONE

    @admin.display(description="Tries")
    def tries(self, shown: Task) -> str:
        """How often it was tried."""
        return wording.number(shown.attempts)

    @admin.display(description="Job")
    def job_name(self, shown: Task) -> SafeString:
        """What it belongs to."""
        return format_html(
            '<a class="hw-link" href="?job={}">{}</a>', shown.job_id, shown.job or shown.job_id
        )

    @admin.display(description="Ended")
    def ended(self, shown: Task) -> SafeString:
        """When it came to its end."""
        return ago(shown.finished_at)
