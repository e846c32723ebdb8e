"""The sidebar."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import reverse

from hashworld.console.acting import person
from hashworld.verbs import rights

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
        ("Webhooks", "webhook", "webhooks.webhook"),
        ("Messages", "outbox", "webhooks.message"),
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
        ("Tokens", "key", "api.token"),
        ("Quotas", "speed", "tasks.quota"),
        ("Audit", "history", "verbs.auditentry"),
    ),
}


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar's groups with the entries that this user may open."""
    dashboard = {"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}
    chat = {"title": "Chatroom", "icon": "forum", "link": reverse("chat")}
    shown: list[dict[str, Any]] = [{"items": [dashboard, chat]}]
    for title, entries in _GROUPS.items():
        items = [_item(request, *entry) for entry in entries if _may_view(request, entry[2])]
        if items:
            shown.append({"title": title, "separator": True, "items": items})
    return shown


def _item(request: HttpRequest, title: str, icon: str, model: str) -> dict[str, Any]:
    link = reverse(f"admin:{model.replace('.', '_')}_changelist")
    item: dict[str, Any] = {"title": title, "icon": icon, "link": link}
    if model == "tasks.job":
        item |= {"badge": _running_jobs(person(request)), "badge_variant": "info"}
    return item


def _running_jobs(user: User) -> str:
    """How many jobs run, as a badge says it; nothing when none does."""
    count = len(rights.jobs(user).running().order_by().values_list("pk")[: MOST + 1])
    return f"{MOST}+" if count > MOST else str(count or "")


#: In which the work of all people is mixed.
_SHARED = frozenset({"tasks.content", "tasks.attempt", "tasks.lease"})


def _may_view(request: HttpRequest, model: str) -> bool:
    if model in _SHARED and not rights.sees_all(person(request)):
        return False
    app, name = model.split(".")
    can = request.user.has_perm
    return can(f"{app}.view_{name}") or can(f"{app}.change_{name}")
