"""What the admins of this site have in common."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model
from django.forms import CharField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from hashworld.console.acting import person
from hashworld.console.paginator import IndexedChangeList, UncountedPaginator
from hashworld.verbs import rights


class ReasonForm(ActionForm):  # type: ignore[misc]
    """The choice of an action, with the reason for a pause.

    What is wrong with it the action says: of a form that is not valid Django says only that no
    action was chosen.
    """

    reason = CharField(
        label="",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Reason for a pause"}),
    )


if TYPE_CHECKING:  # unfold carries no types; its classes keep the interface of Django's
    StyledAdmin = admin.ModelAdmin[Any]
else:
    from unfold.admin import ModelAdmin as StyledAdmin


class LargeAdmin(StyledAdmin):
    """A list that may hold any number of rows: nothing is counted, sorted or looked up by scan."""

    paginator = UncountedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_disable_select_all = True
    list_fullwidth = True
    sortable_by = ()
    ordering = ("-id",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list without totals and without sorting by columns."""
        return IndexedChangeList

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only the filters of the list: Django would take any condition on any column."""
        return any(lookup == spec.parameter_name for spec in self.list_filter)  # type: ignore[union-attr]


class RecordAdmin(LargeAdmin):
    """A record that the cluster writes and nobody edits."""

    actions: tuple[str, ...] = ()
    compressed_fields = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: only the cluster writes it."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: only the cluster writes it."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: Django's deletion would collect by scan; there is `tasks.retention`."""
        return False

    def page(
        self, request: HttpRequest, shown: Model | None, template: str, context: dict[str, Any]
    ) -> HttpResponse:
        """A page of its own in place of the form that Django would show."""
        return TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "original": shown,
                "title": str(shown or ""),
                "has_view_permission": True,
                **context,
            },
        )

    def missing(self, request: HttpRequest, object_id: object) -> HttpResponse:
        """Back to the list, saying that there is no such thing (any more)."""
        name = self.opts.verbose_name
        self.message_user(request, f"There is no {name} {object_id} (any more).", "WARNING")
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")


class SharedRecordAdmin(RecordAdmin):
    """A record in which the work of all people is mixed: for those who may see all of it."""

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whose own jobs are all they may see finds these on their tasks' pages."""
        seen: bool = super().has_view_permission(request, obj)
        return seen and rights.sees_all(person(request))
