"""The Django app of what recurs."""

from importlib import import_module

from django.apps import AppConfig


class RecurringConfig(AppConfig):
    """Recurring jobs, and how far every schedule is decided."""

    name = "hashworld.recurring"
    verbose_name = "recurring jobs"

    def ready(self) -> None:
        """Note edits of schedules by the cluster's clock."""
        import_module("hashworld.recurring.stamp")
