"""Hosts: find, look at, change what may be asked of them, pause and resume."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from hashworld.fetcher.limits import HostLimits
from hashworld.tasks import frontier, pauses
from hashworld.tasks.models import Host
from hashworld.transaction import retried
from hashworld.verbs import audit, paging, rights
from hashworld.verbs.errors import Invalid, NotFound, translated
from hashworld.verbs.paging import Page
from hashworld.verbs.rights import Scope, verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Sorts after all that a host's name is written with, in binary and in Unicode collations.
LAST = "\u4e00"


@verb(Scope.READ)
def find(
    user: "User",
    beginning: str = "",
    paused: bool | None = None,
    cursor: str | None = None,
    limit: int = paging.USUAL,
) -> Page[Host]:
    """Hosts by name, from those whose name begins so."""
    rights.require(user, rights.VIEW_HOST, "see hosts")
    paging.check_limit(limit)
    hosts = _named(beginning.strip().lower())
    if paused is not None:
        hosts = hosts.filter(paused=paused)
    if cursor:
        hosts = hosts.filter(name__gt=paging.text(cursor))
    found = list(hosts.order_by("name").prefetch_related("holder")[: limit + 1])
    more = paging.encode(found[limit - 1].name) if len(found) > limit else None
    return Page(found[:limit], more)


@verb(Scope.READ)
def get(user: "User", name: str) -> Host:
    """One host; raises NotFound."""
    rights.require(user, rights.VIEW_HOST, "see hosts")
    return _host(name)


@verb(Scope.OPERATE)
def pause(user: "User", names: Collection[str], reason: str = "") -> int:
    """Give out nothing more of these hosts; how many were not paused before."""
    ids = _chosen(user, names, "pause hosts")
    with translated():
        changed = pauses.pause_hosts(ids, reason)
    audit.note(user, "pause host", _told(names), number=len(ids), reason=reason)
    return changed


@verb(Scope.OPERATE)
def resume(user: "User", names: Collection[str], reason: str = "") -> int:
    """Give out their waiting tasks again; how many were paused."""
    ids = _chosen(user, names, "resume hosts")
    changed = pauses.resume_hosts(ids)
    audit.note(user, "resume host", _told(names), number=len(ids), reason=reason)
    return changed


@verb(Scope.OPERATE)
def change(
    user: "User",
    name: str,
    *,
    max_connections: int | None = None,
    min_interval: float | None = None,
    reason: str = "",
) -> Host:
    """Change a host's limits: connections at once, and seconds between the starts of fetches."""
    rights.require(user, rights.CHANGE_HOST, "change hosts")
    asked = {"max_connections": max_connections, "min_interval": min_interval}
    wanted: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    with translated():
        HostLimits(**wanted)
    changed = _limit(_host(name).pk, wanted)
    limits = f"{changed.max_connections} connections, {changed.min_interval:g} s"
    audit.note(user, "change host", f"host {changed.name}: {limits}", reason=reason)
    return changed


@retried
def _limit(host_id: int, wanted: Mapping[str, Any]) -> Host:
    host = Host.objects.select_for_update().get(pk=host_id)
    for name, value in wanted.items():
        setattr(host, name, value)
    host.save(update_fields=("max_connections", "min_interval", "ahead"))
    frontier.derive([host.pk])
    return host


def _chosen(user: "User", names: Collection[str], doing: str) -> list[int]:
    """The ids of hosts by name; raises NotFound naming the first that is not there."""
    rights.require(user, rights.CHANGE_HOST, doing)
    if not names:
        raise Invalid("names", "there is none; name at least one host")
    wanted = {_canonical(name) for name in names}
    found = dict(Host.objects.filter(name__in=wanted).values_list("name", "pk"))
    if missing := sorted(wanted - found.keys()):
        raise NotFound(f"There is no host {missing[0]!r}.")
    return sorted(found.values())


def _host(name: str) -> Host:
    found = Host.objects.select_related("holder").filter(name=_canonical(name)).first()
    if found is None:
        raise NotFound(f"There is no host {name!r}.")
    return found


def _named(beginning: str) -> QuerySet[Host]:
    """Those whose name begins so, as a range of the index."""
    hosts: QuerySet[Host] = Host.objects.all()
    return hosts.filter(name__gte=beginning, name__lt=beginning + LAST) if beginning else hosts


def _canonical(name: str) -> str:
    return name.strip().lower().rstrip(".")


def _told(names: Collection[str]) -> str:
    first = min(map(_canonical, names))
    return f"host {first}" if len(names) == 1 else f"{len(names)} hosts from {first}"
