"""Nodes and lands: who is there and whose hosts they fetch."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.db.models.functions import Now
from django.forms import CharField
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from hashworld.console import badges
from hashworld.console.acting import person
from hashworld.console.admin.base import ReasonForm, RecordAdmin
from hashworld.console.templatetags.console import ago
from hashworld.nodes.models import LANDS, MAX_TASKS, Land, Leadership, Node
from hashworld.verbs import nodes as verbs
from hashworld.verbs.errors import VerbError


class NodeActionForm(ReasonForm):
    """The choice of an action, with what it needs."""

    max_tasks = CharField(
        label="",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": f"Fetches, 1 to {MAX_TASKS}"}),
    )


@admin.register(Node)
class NodeAdmin(RecordAdmin):
    """By name, with how lately each was heard of."""

    list_display = ("node", "stand", "beat", "load", "lands_", "cpu", "memory", "version", "up")
    ordering = ("name",)
    action_form = NodeActionForm
    actions = ("pause", "unpause", "drain", "resume", "resize")
    fields = (
        *("name", "stand", "beat", "load", "lands_", "turned", "begun", "cpu", "memory"),
        *("up", "version", "hostname", "pid", "boot_id", "incarnation", "address", "queues"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        """With the number of lands that each owns, and the cluster's time."""
        nodes: QuerySet[Node] = super().get_queryset(request)
        return nodes.annotate(owned=Count("lands"), now=Now())

    def has_control_permission(self, request: HttpRequest) -> bool:
        """Whether the actions are offered."""
        return bool(request.user.has_perm("nodes.control_node"))

    @admin.action(description="Pause: give out nothing more", permissions=["control"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        """Nothing new is given to these nodes, until the pause is ended."""
        reason, user = request.POST.get("reason", ""), person(request)
        self._each(request, queryset, "Paused", lambda name: verbs.pause(user, name, reason))

    @admin.action(description="End the pause", permissions=["control"])
    def unpause(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        """They are given work again."""
        self._each(request, queryset, "No longer paused", partial(verbs.unpause, person(request)))

    @admin.action(description="Drain: end or give back everything", permissions=["control"])
    def drain(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        """They are idle after their grace, and their lands go to the others."""
        self._each(request, queryset, "Draining", partial(verbs.drain, person(request)))

    @admin.action(description="Resume after a drain", permissions=["control"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        """They take work again."""
        self._each(request, queryset, "Resumed", partial(verbs.resume, person(request)))

    @admin.action(description="Set fetches in flight", permissions=["control"])
    def resize(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        """They fetch up to so many pages at once, until they start again."""
        text = request.POST.get("max_tasks", "")
        wanted: object = int(text) if text.isascii() and text.isdecimal() else text
        self._each(
            request,
            queryset,
            "Resized",
            lambda name: verbs.set_max_tasks(person(request), name, wanted),
        )

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Node],
        word: str,
        act: Callable[[str], object],
    ) -> None:
        """Do it to node after node; what cannot be done is told with its node."""
        for node in queryset[: self.list_per_page]:
            try:
                act(node.name)
            except VerbError as error:
                told = str(error).rstrip(".")
                self.message_user(request, f"{node.name}: {told}", "ERROR")
            else:
                self.message_user(request, f"{word}: {node.name}.", "SUCCESS")
                self.log_change(request, node, f"{word}. {request.POST.get('reason', '')}".strip())

    @admin.display(description="Node")
    def node(self, shown: Node) -> SafeString:
        """Its name, and where it runs."""
        return format_html(
            '{} <span class="hw-quiet">{}</span>', shown.name, f"{shown.hostname}:{shown.pid}"
        )

    @admin.display(description="State")
    def stand(self, shown: Any) -> SafeString:
        """Whether it is there, by the cluster's clock."""
        return badges.node(shown, shown.now)

    @admin.display(description="Last beat")
    def beat(self, shown: Node) -> SafeString:
        """When it was last heard of."""
        return ago(shown.seen_at)

    @admin.display(description="In flight")
    def load(self, shown: Node) -> SafeString:
        """Fetches under way, of those it may have."""
        share = 100 * shown.in_flight / shown.max_tasks if shown.max_tasks else 0
        return format_html(
            '<span class="hw-gauge"><i style="width:{}%"></i></span> {} of {}',
            f"{min(share, 100):.0f}",
            shown.in_flight,
            shown.max_tasks,
        )

    @admin.display(description="Engine turned")
    def turned(self, shown: Node) -> str:
        """How long its engine had stood still when it was last heard of."""
        return f"{shown.tick_age:.1f} s before its last beat"

    @admin.display(description="Began nothing")
    def begun(self, shown: Node) -> SafeString | str:
        """When it last let lie what it was given."""
        return ago(shown.deaf_at) if shown.deaf_at else "never"

    @admin.display(description="Lands")
    def lands_(self, shown: Any) -> str:
        """How many lands it owns."""
        return f"{shown.owned} of {LANDS}"

    @admin.display(description="CPU")
    def cpu(self, shown: Node) -> str:
        """Of one core."""
        return f"{shown.cpu_percent:.0f} %"

    @admin.display(description="Memory")
    def memory(self, shown: Node) -> str:
        """Of its process."""
        return f"{shown.memory_mb:.0f} MB"

    @admin.display(description="Version")
    def version(self, shown: Node) -> str:
        """Of HashWorld."""
        return shown.version

    @admin.display(description="Started")
    def up(self, shown: Node) -> SafeString:
        """When this incarnation began."""
        return ago(shown.started_at)


@admin.register(Land)
class LandAdmin(RecordAdmin):
    """The 1,024 slots of the hash space by number."""

    list_display = ("land", "owner")
    ordering = ("id",)
    list_per_page = 128
    fields = ("id", "node")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Land]:
        """With their nodes."""
        return super().get_queryset(request).select_related("node")

    @admin.display(description="Land")
    def land(self, shown: Land) -> str:
        """Its number."""
        return str(shown.pk)

    @admin.display(description="Owner")
    def owner(self, shown: Land) -> str:
        """The node that fetches its hosts."""
        return shown.node.name if shown.node else "nobody: no node was alive to take it"


@admin.register(Leadership)
class LeadershipAdmin(RecordAdmin):
    """Which process is the master."""

    list_display = ("master", "term", "stand", "begun", "renewed")
    ordering = ("id",)
    fields = ("holder", "term", "since", "renewed_at", "expires_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Leadership]:
        """With the cluster's time."""
        rows: QuerySet[Leadership] = super().get_queryset(request)
        return rows.annotate(now=Now())

    @admin.display(description="Master")
    def master(self, shown: Leadership) -> SafeString:
        """Its name, and which of its processes."""
        _, _, process = shown.holder.rpartition("/")
        return format_html('{} <span class="hw-quiet">{}</span>', shown.name or "nobody", process)

    @admin.display(description="State")
    def stand(self, shown: Any) -> SafeString:
        """Whether it still leads, by the cluster's clock."""
        if shown.expires_at > shown.now:
            return badges.badge("leads", "succeed")
        return badges.badge("over", "runtime-error", "Nothing is scheduled or rescued")

    @admin.display(description="Since")
    def begun(self, shown: Leadership) -> SafeString:
        """When its term began."""
        return ago(shown.since)

    @admin.display(description="Renewed")
    def renewed(self, shown: Leadership) -> SafeString:
        """When it last said that it leads."""
        return ago(shown.renewed_at)
