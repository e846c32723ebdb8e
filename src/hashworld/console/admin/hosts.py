"""Hosts: what may be asked of them, and a brake for each."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hashworld.console import badges, wording
from hashworld.console.acting import perform, person
from hashworld.console.admin.base import LargeAdmin, ReasonForm
from hashworld.console.templatetags.console import ago
from hashworld.tasks import frontier
from hashworld.tasks.models import Host
from hashworld.verbs import audit
from hashworld.verbs import hosts as verbs

#: What a person sets. The other columns are the cluster's, and change while the form is open.
LIMITS = ("max_connections", "min_interval", "paused", "pause_reason")
#: Sorts after all that a host's name is written with, in binary and in Unicode collations.
LAST = "\u4e00"


@admin.register(Host)
class HostAdmin(LargeAdmin):
    """By name; only its limits and its pause can be changed."""

    list_display = ("host", "brake", "connections", "interval", "out_", "holder_name", "ready")
    list_display_links = ("host",)
    search_fields = ("name",)
    search_help_text = "Beginning of a host's name"
    ordering = ("name",)
    fields = ("name", *LIMITS, "land", "holder", "out", "ahead", "next_at")
    readonly_fields = ("name", "land", "holder", "out", "ahead", "next_at")
    action_form = ReasonForm
    actions = ("pause", "resume")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Host]:
        """With the nodes that hold them."""
        return super().get_queryset(request).prefetch_related("holder")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Host], search_term: str
    ) -> tuple[QuerySet[Host], bool]:
        """Names from this text on, as a range of their index."""
        begin = search_term.strip().lower()
        if not begin:
            return queryset, False
        return queryset.filter(name__gte=begin, name__lt=begin + LAST), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: a submission makes the hosts it needs."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: tasks refer to it."""
        return False

    def save_model(
        self, request: HttpRequest, obj: Host, form: ModelForm[Host], change: bool
    ) -> None:
        """Write the limits alone and let the host's queues follow them."""
        obj.save(update_fields=(*LIMITS, "ahead"))
        frontier.derive([obj.pk])
        audit.note(person(request), "change host", f"host {obj.name}", reason=obj.pause_reason)

    @admin.action(description="Pause: give out nothing more", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Host]) -> None:
        """Nothing of these hosts is given out until they are resumed."""
        names, reason = self._chosen(queryset), request.POST.get("reason", "")
        changed = perform(request, lambda: verbs.pause(person(request), names, reason))
        if changed is not None:
            self._tell(request, "Paused", changed, len(names), "paused already")

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Host]) -> None:
        """Give out their waiting tasks again."""
        names = self._chosen(queryset)
        changed = perform(request, lambda: verbs.resume(person(request), names))
        if changed is not None:
            self._tell(request, "Resumed", changed, len(names), "not paused")

    def _chosen(self, queryset: QuerySet[Host]) -> list[str]:
        return list(queryset.values_list("name", flat=True)[: self.list_per_page])

    def _tell(self, request: HttpRequest, word: str, changed: int, of: int, already: str) -> None:
        skipped = f" Skipped {of - changed}: {already}." if changed < of else ""
        self.message_user(request, f"{word}: {changed} of {of} hosts.{skipped}")

    @admin.display(description="Host")
    def host(self, shown: Host) -> str:
        """Its name."""
        return shown.name

    @admin.display(description="State")
    def brake(self, shown: Host) -> SafeString:
        """Whether it is paused, and why."""
        if shown.paused:
            return badges.paused(shown.pause_reason)
        return badges.badge("open", "succeed")

    @admin.display(description="Connections")
    def connections(self, shown: Host) -> str:
        """At most so many at once."""
        return f"up to {shown.max_connections}"

    @admin.display(description="Interval")
    def interval(self, shown: Host) -> str:
        """Between the starts of two fetches."""
        return f"{shown.min_interval:g} s" if shown.min_interval else "none"

    @admin.display(description="Tasks out")
    def out_(self, shown: Host) -> SafeString:
        """With a node now, of those that may be."""
        return format_html("{} of {}", shown.out, shown.ahead)

    @admin.display(description="Held by")
    def holder_name(self, shown: Host) -> str:
        """The node that alone fetches from it now."""
        return shown.holder.name if shown.holder else wording.NONE

    @admin.display(description="Ready")
    def ready(self, shown: Host) -> SafeString:
        """Since or from when it may be asked."""
        return ago(shown.next_at)
