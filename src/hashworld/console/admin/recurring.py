"""Recurring jobs: making and changing them, when they come, and what came of them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from hashworld.console import badges, recurring_page, wording
from hashworld.console.acting import perform, person
from hashworld.console.admin.base import RecordAdmin
from hashworld.console.recurrence import RecurringForm
from hashworld.console.templatetags.console import ago
from hashworld.nodes import clock
from hashworld.recurring.models import Firing, FiringState, Recurring
from hashworld.verbs import rights
from hashworld.verbs import schedules as verbs


@admin.register(Recurring)
class RecurringAdmin(RecordAdmin):
    """The newest first."""

    list_display = ("name_", "stand", "when", "next_", "last_", "overlap", "owner_")
    actions = ("pause_many", "resume_many", "fire_many")

    def get_urls(self) -> list[URLPattern]:
        """The page's own addresses, before those of Django's admin."""
        view = self.admin_site.admin_view
        acts = {"pause": self.pause, "resume": self.resume, "fire": self.fire, "delete": self.erase}
        own = [
            path(f"<int:pk>/{verb}/", view(require_POST(act)), name=f"recurring_recurring_{verb}")
            for verb, act in acts.items()
        ]
        edit = path("<int:pk>/edit/", view(self.edit), name="recurring_recurring_edit")
        return [*own, edit, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who may make them."""
        return request.user.has_perm("recurring.add_recurring")

    def has_manage_permission(self, request: HttpRequest) -> bool:
        """Who may change those of others."""
        return request.user.has_perm("recurring.change_recurring")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recurring]:
        """With their schedules, owners and last jobs, and the cluster's time."""
        rows = rights.schedules(person(request)).order_by("-pk").prefetch_related("owner")
        return recurring_page.with_last_jobs(rows).annotate(now=Now())

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form that makes one."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = RecurringForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            made = form.save(request.user)  # type: ignore[arg-type]
            if made is not None:
                self.log_addition(request, made, "Made.")
                self.message_user(request, f"Made: {made}.", "SUCCESS")
                return redirect("admin:recurring_recurring_change", made.pk)
        return self._form(request, form, None)

    def edit(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The same form for one that is there."""
        shown = self._theirs(request, pk)
        if shown is None:
            return self.missing(request, pk)
        form = RecurringForm(request.POST or None, request.FILES or None, recurring=shown)
        if request.method == "POST" and form.is_valid():
            changed = form.save(request.user)  # type: ignore[arg-type]
            if changed is not None:
                self.log_change(request, shown, "Changed.")
                self.message_user(request, f"Changed: {changed}.", "SUCCESS")
                return redirect("admin:recurring_recurring_change", pk)
        return self._form(request, form, shown)

    def change_view(
        self, request: HttpRequest, object_id: str, *args: object, **kwargs: object
    ) -> HttpResponse:
        """The page of one."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = self.get_object(request, object_id)
        if shown is None:
            return self.missing(request, object_id)
        context = {
            "page": recurring_page.read(shown, clock.now()),
            "recurring": shown,
            "when": recurring_page.in_words(shown),
            "can_change": self._may(request, shown, "change"),
            "can_delete": self._may(request, shown, "delete"),
        }
        return self.page(request, shown, "console/recurring.html", context)

    def pause(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Fire no more until resumed."""
        reason = request.POST.get("reason", "").strip()
        act = partial(verbs.pause, person(request), pk, reason)
        return self._act(request, pk, "Paused", act, reason)

    def resume(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Fire again."""
        return self._act(request, pk, "Resumed", partial(verbs.resume, person(request), pk))

    def fire(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Submit a job of it now, or as its overlap policy says."""
        shown = self._theirs(request, pk)
        if shown is None:
            return self.missing(request, pk)
        if told := self._fire(request, shown):
            self.message_user(request, told[1], told[0])
        return redirect("admin:recurring_recurring_change", pk)

    def erase(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Remove it; its jobs stay."""
        shown = self._theirs(request, pk, "delete")
        if shown is None:
            return self.missing(request, pk)
        self.log_deletions(request, [shown])  # type: ignore[arg-type]  # any iterable will do
        verbs.delete(person(request), pk)
        self.message_user(request, f"Deleted {shown}. Its jobs stay.", "SUCCESS")
        return redirect("admin:recurring_recurring_changelist")

    @admin.action(description="Pause", permissions=["manage"])
    def pause_many(self, request: HttpRequest, queryset: QuerySet[Recurring]) -> None:
        """Fire none of these until they are resumed."""
        self._each(request, queryset, "Paused", verbs.pause, "paused already")

    @admin.action(description="Resume", permissions=["manage"])
    def resume_many(self, request: HttpRequest, queryset: QuerySet[Recurring]) -> None:
        """Fire these again."""
        self._each(request, queryset, "Resumed", verbs.resume, "not paused")

    @admin.action(description="Fire now", permissions=["manage"])
    def fire_many(self, request: HttpRequest, queryset: QuerySet[Recurring]) -> None:
        """Submit a job of each."""
        for shown in list(queryset[: self.list_per_page]):
            if told := self._fire(request, shown):
                self.message_user(request, f"{shown}: {told[1]}", told[0])

    def _fire(self, request: HttpRequest, shown: Recurring) -> tuple[str, str] | None:
        """Fire one; the level and the text of what came of it."""
        firing = perform(request, lambda: verbs.fire(person(request), shown.pk))
        if firing is None:
            return None
        level, told = outcome(firing)
        self.log_change(request, shown, told)
        return level, told

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Recurring],
        done: str,
        act: Callable[[User, int], bool],
        skips: str,
    ) -> None:
        chosen = list(queryset[: self.list_per_page])
        changed = [s for s in chosen if perform(request, partial(act, person(request), s.pk))]
        for shown in changed:
            self.log_change(request, shown, f"{done}.")
        left = len(chosen) - len(changed)
        skipped = f" Skipped {left}: {skips}." if left else ""
        self.message_user(request, f"{done}: {len(changed)} of {len(chosen)}.{skipped}")

    def _act(
        self, request: HttpRequest, pk: int, done: str, act: Callable[[], bool], reason: str = ""
    ) -> HttpResponse:
        shown = self._theirs(request, pk)
        if shown is None:
            return self.missing(request, pk)
        changed = perform(request, act)
        if changed:
            self.log_change(request, shown, f"{done}: {reason}." if reason else f"{done}.")
            self.message_user(request, f"{done}.", "SUCCESS")
        elif changed is not None:
            self.message_user(request, f"{done} already.", "WARNING")
        return redirect("admin:recurring_recurring_change", pk)

    def _theirs(self, request: HttpRequest, pk: int, verb: str = "change") -> Recurring | None:
        """The one, if there is it; only for those who may change it."""
        shown = rights.schedules(person(request)).filter(pk=pk).first()
        if shown is not None and not self._may(request, shown, verb):
            raise PermissionDenied
        return shown

    def _may(self, request: HttpRequest, shown: Recurring, verb: str) -> bool:
        """Those of the group may; and whoever made it, as long as they may make more."""
        permission = rights.CHANGE_SCHEDULE if verb == "change" else rights.DELETE_SCHEDULE
        return rights.acts_on_schedule(person(request), shown, permission)

    def _form(
        self, request: HttpRequest, form: RecurringForm, shown: Recurring | None
    ) -> HttpResponse:
        title = f"Change {shown}" if shown else "New recurring job"
        context = {"form": form, "title": title, "recurring": shown, "has_add_permission": False}
        return self.page(request, shown, "console/recurring_form.html", context)

    @admin.display(description="Recurring job")
    def name_(self, shown: Recurring) -> SafeString:
        """Its name and number."""
        return format_html('{} <span class="hw-quiet">#{}</span>', shown, shown.pk)

    @admin.display(description="State")
    def stand(self, shown: Recurring) -> SafeString:
        """Whether it fires."""
        return badges.recurring(shown)

    @admin.display(description="When")
    def when(self, shown: Recurring) -> str:
        """Its schedule in words."""
        return recurring_page.in_words(shown)

    @admin.display(description="Next")
    def next_(self, shown: Any) -> SafeString | str:
        """When it comes next, unless it is paused."""
        slots = [] if shown.paused else recurring_page.upcoming(shown, shown.now, 1)
        return ago(slots[0]) if slots else wording.NONE

    @admin.display(description="Last job")
    def last_(self, shown: Any) -> SafeString | str:
        """The newest that it made."""
        if not shown.last_job:
            return wording.NONE
        link = reverse("admin:tasks_job_change", args=[shown.last_job])
        return format_html(
            '<a class="hw-link" href="{}">#{}</a> {}', link, shown.last_job, ago(shown.last_slot)
        )

    @admin.display(description="Owner")
    def owner_(self, shown: Recurring) -> str:
        """Who made it."""
        return str(shown.owner or wording.NONE)


def outcome(firing: Firing) -> tuple[str, str]:
    """The level and the text of what came of a firing."""
    match firing.state:
        case FiringState.SUBMITTED:
            return "SUCCESS", f"Submitted job #{firing.job_id}."
        case FiringState.WAITING:
            return "WARNING", "It waits for the job before it."
        case _:
            return "ERROR", f"Not submitted: {firing.reason}."
