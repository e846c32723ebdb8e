"""The sidebar."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from hashworld.tasks.models import Job

#: Above this a badge says "99+"; nothing more is counted.
MOST = 99

#: Group, then its entries: title, Material symbol, model.
_GROUPS = {
    "Work": (
        ("Jobs", "work", "tasks.job"),
        ("Tasks", "checklist", "tasks.task"),
        ("Hosts", "dns", "tasks.host"),
        ("Contents", "draft", "tasks.content"),
        ("Attempts", "replay", "tasks.attempt"),
    ),
    "Cluster": (
        ("Nodes", "memory", "nodes.node"),
        ("Lands", "public", "nodes.land"),
        ("Leadership", "flag", "nodes.leadership"),
        ("Leases", "assignment", "tasks.lease"),
    ),
    "Schedules": (
        ("Recurring jobs", "event_repeat", "recurring.recurring"),
        ("Periodic tasks", "schedule", "django_celery_beat.periodictask"),
        ("Crontabs", "calendar_month", "django_celery_beat.crontabschedule"),
        ("Intervals", "timer", "django_celery_beat.intervalschedule"),
        ("Clocked", "alarm", "django_celery_beat.clockedschedule"),
    ),
    "People": (
        ("Users", "person", "auth.user"),
        ("Groups", "group", "auth.group"),
    ),
}


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar's groups with the entries that this user may open."""
    dashboard = {"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}
    chat = {"title": "Chatroom", "icon": "forum", "link": reverse("chat")}
    shown: list[dict[str, Any]] = [{"items": [dashboard, chat]}]
    for title, entries in _GROUPS.items():
        items = [_item(*entry) for entry in entries if _may_view(request, entry[2])]
        if items:
            shown.append({"title": title, "separator": True, "items": items})
    return shown


def _item(title: str, icon: str, model: str) -> dict[str, Any]:
    link = reverse(f"admin:{model.replace('.', '_')}_changelist")
    item: dict[str, Any] = {"title": title, "icon": icon, "link": link}
    if model == "tasks.job":
        item |= {"badge": _running_jobs(), "badge_variant": "info"}
    return item


def _running_jobs() -> str:
    """How many jobs run, as a badge says it; nothing when none does."""
    count = len(Job.objects.running().order_by().values_list("pk")[: MOST + 1])
    return f"{MOST}+" if count > MOST else str(count or "")


def _may_view(request: HttpRequest, model: str) -> bool:
    app, name = model.split(".")
    can = request.user.has_perm
    return can(f"{app}.view_{name}") or can(f"{app}.change_{name}")
