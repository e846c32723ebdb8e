"""Contents: the bodies that are kept, each once."""

import re

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from hashworld.console import wording
from hashworld.console.admin.base import SharedRecordAdmin
from hashworld.console.templatetags.console import ago
from hashworld.tasks.models import Content

_SHA256 = re.compile(r"[0-9a-f]{64}")


@admin.register(Content)
class ContentAdmin(SharedRecordAdmin):
    """The newest first."""

    list_display = ("digest", "size_", "kept", "store_", "created")
    fields = ("sha256", "size", "stored", "store", "pack", "offset", "created_at")
    search_fields = ("sha256",)
    search_help_text = "Whole SHA-256"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Content], search_term: str
    ) -> tuple[QuerySet[Content], bool]:
        """The one content with this hash."""
        digest = search_term.strip().lower()
        if not digest:
            return queryset, False
        found = queryset.filter(sha256=digest) if _SHA256.fullmatch(digest) else queryset.none()
        return found, False

    @admin.display(description="SHA-256")
    def digest(self, shown: Content) -> str:
        """The beginning of its hash."""
        return shown.sha256[:16]

    @admin.display(description="Size")
    def size_(self, shown: Content) -> str:
        """The body's bytes."""
        return wording.size(shown.size)

    @admin.display(description="Kept in")
    def kept(self, shown: Content) -> str:
        """Its compressed bytes, and how much of the body that is."""
        share = f" ({100 * shown.stored / shown.size:.0f} %)" if shown.size else ""
        return wording.size(shown.stored) + share

    @admin.display(description="Store")
    def store_(self, shown: Content) -> str:
        """Where its bytes are."""
        return shown.store

    @admin.display(description="First seen")
    def created(self, shown: Content) -> SafeString:
        """When it was first fetched."""
        return ago(shown.created_at)
