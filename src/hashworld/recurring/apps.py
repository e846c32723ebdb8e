"""The Django app of what recurs."""

from django.apps import AppConfig


class RecurringConfig(AppConfig):
    """Recurring jobs, and how far every schedule is decided."""

    name = "hashworld.recurring"
    verbose_name = "recurring jobs"
