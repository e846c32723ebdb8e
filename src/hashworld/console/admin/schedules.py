"""django-celery-beat's schedules in the clothes of this site."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_beat import admin as beat
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from hashworld.console.admin.base import StyledAdmin

for _model in (PeriodicTask, ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule):
    admin.site.unregister(_model)


class TaskSelect(UnfoldAdminSelectWidget, beat.TaskSelectWidget):  # type: ignore[misc]
    """The choice among Celery's registered tasks."""


class PeriodicForm(beat.PeriodicTaskForm):  # type: ignore[misc]
    """The form as it is, with widgets that look like the rest."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


@admin.register(PeriodicTask)
class PeriodicAdmin(beat.PeriodicTaskAdmin, StyledAdmin):  # type: ignore[misc]
    """What is done again and again, and when it was last done."""

    form = PeriodicForm
    # Without the sun: its times cannot be computed without a library that is not installed.
    fieldsets = (
        (None, {"fields": ("name", "regtask", "task", "enabled", "description")}),
        (
            "Schedule",
            {
                "fields": (
                    *("interval", "crontab", "crontab_translation", "clocked"),
                    *("start_time", "last_run_at", "one_off"),
                )
            },
        ),
        *beat.PeriodicTaskAdmin.fieldsets[2:],
    )
    list_display = ("name", "task", "schedule", "enabled", "last_run_at", "total_run_count")
    list_filter = ("enabled", "one_off")
    date_hierarchy = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[PeriodicTask]:
        """Recurring jobs have pages of their own."""
        tasks: QuerySet[PeriodicTask] = super().get_queryset(request).filter(recurring=None)
        return tasks

    @admin.display(description="When")
    def schedule(self, shown: PeriodicTask) -> str:
        """Its schedule in words."""
        return str(shown.scheduler or "never")


class PeriodicInline(beat.PeriodicTaskInline, TabularInline):  # type: ignore[misc]
    """What uses a schedule."""

    tab = False


class ScheduleAdmin(StyledAdmin):
    """A schedule and what uses it."""

    inlines = (PeriodicInline,)


@admin.register(ClockedSchedule)
class ClockedAdmin(beat.ClockedScheduleAdmin, ScheduleAdmin):  # type: ignore[misc]
    """One moment."""

    inlines = (PeriodicInline,)


@admin.register(CrontabSchedule)
class CrontabAdmin(beat.CrontabScheduleAdmin, ScheduleAdmin):  # type: ignore[misc]
    """The times of a crontab line."""

    inlines = (PeriodicInline,)


@admin.register(IntervalSchedule)
class IntervalAdmin(beat.IntervalScheduleAdmin, ScheduleAdmin):  # type: ignore[misc]
    """Every so often."""

    inlines = (PeriodicInline,)
