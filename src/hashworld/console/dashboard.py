"""The first page: is the cluster well, what is it doing, what went wrong."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from hashworld.console import figures
from hashworld.nodes import clock, leadership, pauses
from hashworld.nodes.errors import NodesError
from hashworld.nodes.models import Standing
from hashworld.tasks import dispatcher


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the dashboard shows, added to the page's context."""
    if not may_see(request):
        return context
    now = clock.now()
    jobs, nodes = figures.running_jobs(now), figures.nodes(now)
    return context | {
        "may_see": True,
        "cluster": pauses.cluster(),
        "may_pause": request.user.has_perm("nodes.pause_cluster"),
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


def pause(request: HttpRequest) -> HttpResponse:
    """Pause the whole cluster, or end its pause, and go back to the page."""
    if not request.user.has_perm("nodes.pause_cluster"):
        raise PermissionDenied
    try:
        if "resume" in request.POST:
            word = "is leased work again" if pauses.resume_cluster() else "was not paused"
        else:
            reason, by = request.POST.get("reason", ""), request.user.get_username()
            word = "is paused" if pauses.pause_cluster(reason, by) else "was paused already"
    except NodesError as error:
        messages.error(request, f"Not done: {error}.")
    else:
        messages.success(request, f"The cluster {word}.")
        dispatcher.nudge()
    return redirect("admin:index")


def may_see(request: HttpRequest) -> bool:
    """Whether this user may look at the work."""
    return request.user.has_perms(("tasks.view_job", "tasks.view_task", "nodes.view_node"))
