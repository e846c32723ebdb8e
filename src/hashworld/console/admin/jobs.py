"""Jobs: handing one in, watching it, and what to do with what failed."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from hashworld.console import actions, badges, job_page, progress, wording
from hashworld.console.actions import DELETE, KILL, RETRY
from hashworld.console.admin.base import RecordAdmin
from hashworld.console.live import live
from hashworld.console.submission import JobForm
from hashworld.console.templatetags.console import ago
from hashworld.nodes import clock
from hashworld.tasks import intents, pauses
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import Job, Wanted
from hashworld.tasks.submit import Submission


class UnfinishedFilter(admin.SimpleListFilter):
    """Jobs that have something to do."""

    title = "progress"
    parameter_name = "unfinished"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """The one choice beside all."""
        return [("1", "running")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """By the index of `finished_at`, whose nulls are few."""
        return queryset.filter(finished_at=None) if self.value() else queryset


@admin.register(Job)
class JobAdmin(RecordAdmin):
    """The newest first."""

    list_display = ("name_", "stand", "bar", "succeeded", "failed", "owner_", "created", "took")
    list_filter = (UnfinishedFilter,)
    search_fields = ("name",)
    search_help_text = "Name or number"

    def get_urls(self) -> list[URLPattern]:
        """The page's own addresses, before those of Django's admin."""
        view = self.admin_site.admin_view
        acts = {
            "kill": self.kill,
            "retry": self.retry,
            "delete": self.delete,
            "pause": self.pause,
            "resume": self.resume,
        }
        own = [
            path(f"<int:job_id>/{verb}/", view(require_POST(act)), name=f"tasks_job_{verb}")
            for verb, act in acts.items()
        ]
        part = path("<int:job_id>/progress/", live(self.progress_view), name="tasks_job_progress")
        return [*own, part, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who may hand in jobs."""
        return request.user.has_perm("tasks.add_job")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """With their owners and the cluster's time, without request bodies."""
        jobs: QuerySet[Job] = super().get_queryset(request)
        return jobs.prefetch_related("owner").defer("body").annotate(now=Now())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """Part of a name, or the number. Jobs are few beside tasks: they may be read through."""
        term = search_term.strip().lstrip("#")
        if not term:
            return queryset, False
        wanted = Q(name__icontains=term)
        if term.isascii() and term.isdecimal() and len(term) <= 18:
            wanted |= Q(pk=int(term))
        return queryset.filter(wanted), False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form that takes a job in."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = JobForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            done = form.submit(request.user)  # type: ignore[arg-type]
            if done is not None:
                return self._submitted(request, done)
        context = {"form": form, "title": "New job", "has_add_permission": False}
        return self.page(request, None, "console/job_add.html", context)

    def _submitted(self, request: HttpRequest, done: Submission) -> HttpResponse:
        """On to the job, or first to what was refused."""
        if done.repeated:
            self.message_user(request, "This form was sent before: here is its job.", "WARNING")
            return redirect("admin:tasks_job_change", done.job.pk)
        self.log_addition(request, done.job, f"{done.accepted} tasks.")
        if done.refused:
            context = {"done": done, "title": str(done.job), "has_add_permission": False}
            return self.page(request, done.job, "console/job_refused.html", context)
        twice = f" {done.duplicated:,} were there already." if done.duplicated else ""
        self.message_user(request, f"Accepted: {done.accepted:,} URLs.{twice}", "SUCCESS")
        return redirect("admin:tasks_job_change", done.job.pk)

    def change_view(
        self, request: HttpRequest, object_id: str, *args: object, **kwargs: object
    ) -> HttpResponse:
        """The page of one job."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = self.get_object(request, object_id)
        if shown is None:
            return self.missing(request, object_id)
        context = {
            "page": job_page.read(shown),
            "progress": progress.of(shown, clock.now()),
            "job": shown,
            **self._verbs(request),
        }
        return self.page(request, shown, "console/job.html", context)

    def progress_view(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """The living part of the page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = Job.objects.filter(pk=job_id).first()
        if shown is None:
            return HttpResponse(status=286)  # htmx: stop asking
        context = {"progress": progress.of(shown, clock.now()), "job": shown}
        return render(request, "console/job_live.html", context)

    def kill(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """End all that has not ended."""
        return self._ask(request, job_id, KILL, Wanted.KILL, "Its tasks are being killed.")

    def retry(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """Let what failed (or, if asked, what was killed) wait again."""
        killed = request.POST.get("state") == "killed"
        wanted = Wanted.RETRY_KILLED if killed else Wanted.RETRY_FAILED
        told = f"Its {'killed' if killed else 'failed'} tasks are being sent back to wait."
        return self._ask(request, job_id, RETRY, wanted, told)

    def delete(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """Delete it with all its tasks, once it has ended."""
        if not request.user.has_perm("tasks.delete_job"):
            raise PermissionDenied
        return self._ask(request, job_id, DELETE, Wanted.DELETE, "It is being deleted.")

    def _ask(
        self, request: HttpRequest, job_id: int, action: actions.Action, wanted: Wanted, told: str
    ) -> HttpResponse:
        """Ask for something that is carried out in the background, however many tasks there are."""
        shown = self._for(request, job_id, action)
        if shown is None:
            return self.missing(request, job_id)
        try:
            intents.ask(job_id, wanted)
        except InvalidInput as error:
            self.message_user(request, f"Not done: {error.reason}.", "ERROR")
        else:
            self.message_user(request, told, "SUCCESS")
            self.log_change(request, shown, f"Asked to {wanted.value}.")
        return redirect("admin:tasks_job_change", job_id)

    def pause(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """Give out nothing more of it."""
        reason = request.POST.get("reason", "")
        return self._brake(request, job_id, lambda: pauses.pause_job(job_id, reason), "Paused")

    def resume(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """Give out its tasks again."""
        return self._brake(request, job_id, lambda: pauses.resume_job(job_id), "Resumed")

    def _brake(
        self, request: HttpRequest, job_id: int, act: Callable[[], bool], word: str
    ) -> HttpResponse:
        if not request.user.has_perm("tasks.pause_job"):
            raise PermissionDenied
        shown = Job.objects.filter(pk=job_id).first()
        if shown is None:
            return self.missing(request, job_id)
        try:
            changed = act()
        except InvalidInput as error:
            self.message_user(request, f"Not done: {error}.", "ERROR")
        else:
            self.message_user(request, f"{word}." if changed else f"It was {word.lower()} already.")
            self.log_change(request, shown, f"{word}. {request.POST.get('reason', '')}".strip())
        return redirect("admin:tasks_job_change", job_id)

    def _for(self, request: HttpRequest, job_id: int, action: actions.Action) -> Job | None:
        if not actions.allowed(request, action):
            raise PermissionDenied
        return Job.objects.filter(pk=job_id).first()

    def _verbs(self, request: HttpRequest) -> dict[str, bool]:
        removes = request.user.has_perm("tasks.delete_job")
        return {
            "can_kill": actions.allowed(request, KILL),
            "can_retry": actions.allowed(request, RETRY),
            "can_pause": request.user.has_perm("tasks.pause_job"),
            "can_delete": removes and actions.allowed(request, DELETE),
        }

    @admin.display(description="Job")
    def name_(self, shown: Job) -> SafeString:
        """Its name and number."""
        return format_html('{} <span class="hw-quiet">#{}</span>', shown, shown.pk)

    @admin.display(description="State")
    def stand(self, shown: Job) -> SafeString:
        """How it stands."""
        return badges.job(shown)

    @admin.display(description="Progress")
    def bar(self, shown: Any) -> SafeString:
        """How far it is."""
        return job_page.bar(progress.of(shown, shown.now))

    @admin.display(description="Succeeded")
    def succeeded(self, shown: Job) -> str:
        """Of all its tasks."""
        return f"{shown.succeed:,} of {shown.total:,}"

    @admin.display(description="Failed")
    def failed(self, shown: Job) -> str:
        """Given up."""
        return wording.number(shown.runtime_error)

    @admin.display(description="Owner")
    def owner_(self, shown: Job) -> str:
        """Who handed it in."""
        return str(shown.owner or wording.NONE)

    @admin.display(description="Created")
    def created(self, shown: Job) -> SafeString:
        """When it was handed in."""
        return ago(shown.created_at)

    @admin.display(description="Took")
    def took(self, shown: Job) -> str:
        """From there to its last task's end."""
        if shown.finished_at is None:
            return wording.NONE
        return wording.duration((shown.finished_at - shown.created_at).total_seconds())
