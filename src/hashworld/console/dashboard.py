"""The first page: is the cluster well, what is it doing, what went wrong."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hashworld.console import figures
from hashworld.nodes import clock, leadership
from hashworld.nodes.models import Standing


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the dashboard shows, added to the page's context."""
    if not may_see(request):
        return context
    now = clock.now()
    jobs, nodes = figures.running_jobs(now), figures.nodes(now)
    return context | {
        "may_see": True,
        "backlog": figures.backlog(now),
        "day": figures.day(now),
        "hour": figures.hour(now),
        "nodes": nodes,
        "none_alive": not any(row.standing == Standing.ALIVE for row in nodes),
        "master": leadership.master(now),
        "jobs": jobs,
        "finished_jobs": figures.finished_jobs(now) if not jobs else [],
        "failures": figures.failures(),
    }


def fragment(request: HttpRequest) -> HttpResponse:
    """The living part of the page alone, which asks for itself every few seconds."""
    if not may_see(request):
        raise PermissionDenied
    return render(request, "console/dashboard_live.html", context(request, {}))


def may_see(request: HttpRequest) -> bool:
    """Whether this user may look at the work."""
    return request.user.has_perms(("tasks.view_job", "tasks.view_task", "nodes.view_node"))
