"""django-celery-beat's schedules in the clothes of this site."""

from django.contrib import admin
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


class RecurringForm(beat.PeriodicTaskForm):  # type: ignore[misc]
    """The form as it is, with widgets that look like the rest."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


@admin.register(PeriodicTask)
class RecurringAdmin(beat.PeriodicTaskAdmin, StyledAdmin):  # type: ignore[misc]
    """What is done again and again, and when it was last done."""

    form = RecurringForm
    list_display = ("name", "task", "schedule", "enabled", "last_run_at", "total_run_count")
    list_filter = ("enabled", "one_off")
    date_hierarchy = None

    @admin.display(description="When")
    def schedule(self, shown: PeriodicTask) -> str:
        """Its schedule in words."""
        return str(shown.scheduler or "never")


class RecurringInline(beat.PeriodicTaskInline, TabularInline):  # type: ignore[misc]
    """What uses a schedule."""

    tab = False


class ScheduleAdmin(StyledAdmin):
    """A schedule and what uses it."""

    inlines = (RecurringInline,)


@admin.register(ClockedSchedule)
class ClockedAdmin(beat.ClockedScheduleAdmin, ScheduleAdmin):  # type: ignore[misc]
    """One moment."""

    inlines = (RecurringInline,)


@admin.register(CrontabSchedule)
class CrontabAdmin(beat.CrontabScheduleAdmin, ScheduleAdmin):  # type: ignore[misc]
    """The times of a crontab line."""

    inlines = (RecurringInline,)


@admin.register(IntervalSchedule)
class IntervalAdmin(beat.IntervalScheduleAdmin, ScheduleAdmin):  # type: ignore[misc]
    """Every so often."""

    inlines = (RecurringInline,)


@admin.register(SolarSchedule)
class SolarAdmin(beat.SolarScheduleAdmin, ScheduleAdmin):  # type: ignore[misc]
    """Sunrise, sunset and their like at one place."""

    inlines = (RecurringInline,)
