"""The first page: is the cluster well, what is it doing, what went wrong."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from hashworld.console import figures
from hashworld.console.acting import perform, person
from hashworld.nodes import clock, leadership, pauses
from hashworld.nodes.models import Standing
from hashworld.tasks import dispatcher
from hashworld.verbs import nodes as node_verbs
from hashworld.verbs import rights


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the dashboard shows, added to the page's context."""
    if not may_see(request):
        return context
    now = clock.now()
    seen = rights.jobs(person(request))
    jobs, nodes = figures.running_jobs(seen, now), figures.nodes(now)
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
        "finished_jobs": figures.finished_jobs(seen, now) if not jobs else [],
        "failures": figures.failures() if rights.sees_all(person(request)) else [],
    }


def fragment(request: HttpRequest) -> HttpResponse:
    """The living part of the page alone, which asks for itself every few seconds."""
    if not may_see(request):
        raise PermissionDenied
    return render(request, "console/dashboard_live.html", context(request, {}))


def pause(request: HttpRequest) -> HttpResponse:
    """Pause the whole cluster, or end its pause, and go back to the page."""
    if "resume" in request.POST:
        changed = perform(request, lambda: node_verbs.resume_cluster(person(request)))
        word = "is leased work again" if changed else "was not paused"
    else:
        reason = request.POST.get("reason", "")
        changed = perform(request, lambda: node_verbs.pause_cluster(person(request), reason))
        word = "is paused" if changed else "was paused already"
    if changed is not None:
        messages.success(request, f"The cluster {word}.")
        dispatcher.nudge()
    return redirect("admin:index")


def may_see(request: HttpRequest) -> bool:
    """Whether this user may look at the work."""
    return request.user.has_perms(("tasks.view_job", "tasks.view_task", "nodes.view_node"))
