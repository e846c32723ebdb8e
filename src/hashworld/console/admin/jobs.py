"""Jobs: handing one in, watching it, and what to do with what failed."""

from collections.abc import Callable
from functools import partial
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

from hashworld.console import badges, job_page, progress, wording
from hashworld.console.acting import perform, person
from hashworld.console.admin.base import RecordAdmin
from hashworld.console.live import live
from hashworld.console.submission import JobForm
from hashworld.console.templatetags.console import ago
from hashworld.nodes import clock
from hashworld.tasks.models import Job
from hashworld.tasks.taken import Submission
from hashworld.verbs import jobs as verbs
from hashworld.verbs import rights


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
        jobs = jobs.prefetch_related("owner").defer("body").annotate(now=Now())
        user = person(request)
        return jobs if rights.sees_all(user) else jobs.filter(owner=user)

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
            **self._verbs(request, shown),
        }
        return self.page(request, shown, "console/job.html", context)

    def progress_view(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """The living part of the page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = rights.jobs(person(request)).filter(pk=job_id).first()
        if shown is None:
            return HttpResponse(status=286)  # htmx: stop asking
        context = {"progress": progress.of(shown, clock.now()), "job": shown}
        return render(request, "console/job_live.html", context)

    def kill(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """End all that has not ended."""
        act = partial(verbs.kill, person(request), job_id)
        return self._act(request, job_id, act, "Its tasks are being killed.", "Asked to kill.")

    def retry(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """Let what failed (or, if asked, what was killed) wait again."""
        which = "killed" if request.POST.get("state") == "killed" else "failed"
        act = partial(verbs.retry, person(request), job_id, which)
        told = f"Its {which} tasks are being sent back to wait."
        return self._act(request, job_id, act, told, f"Asked to retry {which}.")

    def delete(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """Delete it with all its tasks, once it has ended."""
        act = partial(verbs.delete, person(request), job_id)
        return self._act(request, job_id, act, "It is being deleted.", "Asked to delete.")

    def pause(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """Give out nothing more of it."""
        reason = request.POST.get("reason", "")
        act = partial(verbs.pause, person(request), job_id, reason)
        return self._act(request, job_id, act, "Paused.", f"Paused. {reason}".strip())

    def resume(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """Give out its tasks again."""
        act = partial(verbs.resume, person(request), job_id)
        return self._act(request, job_id, act, "Resumed.", "Resumed.")

    def _act(
        self, request: HttpRequest, job_id: int, act: Callable[[], object], told: str, noted: str
    ) -> HttpResponse:
        """Run a verb on a job; what takes long is carried out in the background."""
        shown = perform(request, lambda: verbs.get(person(request), job_id))
        if shown is None:
            return redirect("admin:tasks_job_changelist")
        changed = perform(request, act)
        if changed is not None:
            already = f"It was {told[:1].lower()}{told[1:-1]} already."
            self.message_user(request, already if changed is False else told, "SUCCESS")
            self.log_change(request, shown, noted)
        return redirect("admin:tasks_job_change", job_id)

    def _verbs(self, request: HttpRequest, job: Job) -> dict[str, bool]:
        needed = {
            "can_kill": rights.KILL,
            "can_retry": rights.RETRY,
            "can_pause": rights.PAUSE_JOB,
            "can_delete": rights.DELETE_JOB,
        }
        may = partial(rights.acts_on, person(request), job)
        return {name: may(permission) for name, permission in needed.items()}

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
