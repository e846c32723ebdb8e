"""Lists of any length, read by index and never counted."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.options import ModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

#: An offset is walked through row by row; whoever looks for more than this wants a filter.
MAX_PAGES = 500


class UncountedPaginator(Paginator[Any]):
    """Pages that know whether there is a next one, by reading one row more than they show."""

    template_name = "console/pagination.html"
    object_list: QuerySet[Any]
    has_more = False

    @property
    def count(self) -> int:
        """A bound in place of the number of rows, which only a scan could tell."""
        return self.per_page * MAX_PAGES

    def page(self, number: int | str) -> Page[Any]:
        """The rows of one page; an empty one past the end."""
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        rows: Sequence[Any] = list(self.object_list[start : start + self.per_page + 1])
        self.has_more = len(rows) > self.per_page and number < MAX_PAGES
        return Page(rows[: self.per_page], number, self)


class IndexedChangeList(ChangeList):
    """A list in the order its admin gives, which is an index's: no column sorts it."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page; there is no total that a heading could show."""
        super().get_results(request)
        self.full_result_count = self.result_count

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """The admin's own order and nothing after it: a tie-breaker would cost a sort."""
        model_admin: ModelAdmin[Any] = self.model_admin
        return list(model_admin.get_ordering(request))
