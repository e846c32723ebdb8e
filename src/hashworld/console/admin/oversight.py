"""The audit, quotas, and bulk operations."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from hashworld.console.admin.base import RecordAdmin, StyledAdmin
from hashworld.console.templatetags.console import ago
from hashworld.tasks.models import Quota
from hashworld.verbs.models import AuditEntry


@admin.register(AuditEntry)
class AuditAdmin(RecordAdmin):
    """What people did, the newest first; nobody changes it."""

    list_display = ("at_", "actor_name", "verb", "target", "number", "reason")
    list_display_links = None
    search_fields = ("actor_name",)
    search_help_text = "Who, as a whole name"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """What one person did."""
        name = search_term.strip()
        return (queryset.filter(actor_name=name) if name else queryset), False

    @admin.display(description="When")
    def at_(self, shown: AuditEntry) -> SafeString:
        """By the cluster's clock."""
        return ago(shown.at)


@admin.register(Quota)
class QuotaAdmin(StyledAdmin):
    """What people, and members of groups, may have."""

    list_display = ("of", "unfinished", "daily", "bytes")
    list_display_links = ("of",)
    autocomplete_fields = ("user", "group")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Quota]:
        """With those whose they are."""
        return super().get_queryset(request).select_related("user", "group")

    @admin.display(description="Of")
    def of(self, shown: Quota) -> str:
        """The person or the group."""
        return str(shown.user or f"members of {shown.group}")
