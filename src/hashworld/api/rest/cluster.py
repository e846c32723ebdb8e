"""Hosts, nodes and the cluster over REST."""

from typing import Annotated

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from hashworld.api.door import opened, user
from hashworld.api.schemas.cluster import ClusterOut, HostIn, HostOut, HostPage, NodeOut, Size
from hashworld.api.schemas.words import Changed, Why, Word
from hashworld.nodes.models import Standing
from hashworld.verbs import hosts, nodes, paging

router = Router(tags=["cluster"])

Name = Word


@opened(router, "GET", "/hosts", hosts.find, response=HostPage)
def list_hosts(
    request: HttpRequest,
    begins: Word = "",
    paused: bool | None = None,
    cursor: Word | None = None,
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL,
) -> HostPage:
    """Hosts by name, those whose name begins so."""
    page = hosts.find(user(request), begins, paused, cursor, limit)
    return HostPage(items=[HostOut.of(host) for host in page.items], next=page.next)


@opened(router, "GET", "/hosts/{name}", hosts.get, response=HostOut)
def get_host(request: HttpRequest, name: Name) -> HostOut:
    """One host."""
    return HostOut.of(hosts.get(user(request), name))


@opened(router, "PATCH", "/hosts/{name}", hosts.change, response=HostOut)
def change_host(request: HttpRequest, name: Name, limits: HostIn) -> HostOut:
    """Change its limits: connections at once, and seconds between the starts of fetches."""
    changes = limits.model_dump()
    return HostOut.of(hosts.change(user(request), name, **changes))


@opened(router, "POST", "/hosts/{name}/pause", hosts.pause, response=Changed)
def pause_host(request: HttpRequest, name: Name, why: Why) -> Changed:
    """Give out nothing more of it."""
    return Changed(changed=hosts.pause(user(request), [name], why.reason))


@opened(router, "POST", "/hosts/{name}/resume", hosts.resume, response=Changed)
def resume_host(request: HttpRequest, name: Name, why: Why) -> Changed:
    """Give out its waiting tasks again."""
    return Changed(changed=hosts.resume(user(request), [name], why.reason))


@opened(router, "GET", "/nodes", nodes.find, response=list[NodeOut])
def list_nodes(request: HttpRequest, standing: Standing | None = None) -> list[NodeOut]:
    """All nodes by name, or those that stand so."""
    return [NodeOut.of(seen) for seen in nodes.find(user(request), standing)]


@opened(router, "GET", "/nodes/{name}", nodes.get, response=NodeOut)
def get_node(request: HttpRequest, name: Name) -> NodeOut:
    """One node."""
    return NodeOut.of(nodes.get(user(request), name))


@opened(router, "POST", "/nodes/{name}/pause", nodes.pause, response=NodeOut)
def pause_node(request: HttpRequest, name: Name, why: Why) -> NodeOut:
    """Give it nothing new, across its restarts too."""
    nodes.pause(user(request), name, why.reason)
    return _node(request, name)


@opened(router, "POST", "/nodes/{name}/unpause", nodes.unpause, response=NodeOut)
def unpause_node(request: HttpRequest, name: Name, why: Why) -> NodeOut:
    """Give it work again."""
    nodes.unpause(user(request), name, why.reason)
    return _node(request, name)


@opened(router, "POST", "/nodes/{name}/drain", nodes.drain, errors=(503,), response=NodeOut)
def drain_node(request: HttpRequest, name: Name, why: Why) -> NodeOut:
    """Let it end or give back what it has, and stay idle."""
    nodes.drain(user(request), name, why.reason)
    return _node(request, name)


@opened(router, "POST", "/nodes/{name}/resume", nodes.resume, errors=(503,), response=NodeOut)
def resume_node(request: HttpRequest, name: Name, why: Why) -> NodeOut:
    """Let it take work again after a drain."""
    nodes.resume(user(request), name, why.reason)
    return _node(request, name)


@opened(
    router, "POST", "/nodes/{name}/max_tasks", nodes.set_max_tasks, errors=(503,), response=NodeOut
)
def size_node(request: HttpRequest, name: Name, size: Size) -> NodeOut:
    """Change how many fetches it may have in flight, until it starts again."""
    nodes.set_max_tasks(user(request), name, size.max_tasks, size.reason)
    return _node(request, name)


@opened(router, "GET", "/cluster", nodes.cluster, response=ClusterOut)
def get_cluster(request: HttpRequest) -> ClusterOut:
    """Whether the cluster is paused, and who leads it."""
    seen = nodes.cluster(user(request))
    told = {name: getattr(seen.cluster, name) for name in ("paused", "pause_reason", "paused_by")}
    return ClusterOut(master=seen.master, term=seen.term, **told)


@opened(router, "POST", "/cluster/pause", nodes.pause_cluster, response=ClusterOut)
def pause_cluster(request: HttpRequest, why: Why) -> ClusterOut:
    """Give out nothing to anybody."""
    nodes.pause_cluster(user(request), why.reason)
    return get_cluster(request)


@opened(router, "POST", "/cluster/resume", nodes.resume_cluster, response=ClusterOut)
def resume_cluster(request: HttpRequest, why: Why) -> ClusterOut:
    """Give out work again."""
    nodes.resume_cluster(user(request), why.reason)
    return get_cluster(request)


def _node(request: HttpRequest, name: str) -> NodeOut:
    return NodeOut.of(nodes.get(user(request), name))
