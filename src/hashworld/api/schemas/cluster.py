"""Hosts, nodes and the cluster as the REST door says and takes them."""

from datetime import datetime
from typing import Annotated

from ninja import Schema
from pydantic import Field

from hashworld.api.schemas.words import In, Reason
from hashworld.fetcher.limits import MOST
from hashworld.tasks.models import Host
from hashworld.verbs.nodes import Seen


class HostOut(Schema):
    """A target host and what may be asked of it."""

    name: str
    max_connections: int
    min_interval: float
    paused: bool
    pause_reason: str
    out: int
    holder: str | None
    next_at: datetime

    @classmethod
    def of(cls, host: Host) -> "HostOut":
        """A host as it is told."""
        told = "name max_connections min_interval paused pause_reason out next_at".split()
        values = {name: getattr(host, name) for name in told}
        return cls(holder=host.holder.name if host.holder else None, **values)


class HostPage(Schema):
    """Some hosts by name."""

    items: list[HostOut]
    next: str | None


class HostIn(In):
    """What changes in a host's limits."""

    max_connections: Annotated[int, Field(ge=1, le=MOST["max_connections"])] | None = None
    min_interval: Annotated[float, Field(ge=0, le=MOST["min_interval"])] | None = None
    reason: Reason = ""


class NodeOut(Schema):
    """A node as it last told of itself, and how it stands by the cluster's clock."""

    name: str
    standing: str
    paused: bool
    pause_reason: str
    hostname: str
    version: str
    max_tasks: int
    in_flight: int
    lands: int
    cpu_percent: float
    memory_mb: float
    started_at: datetime
    seen_at: datetime

    @classmethod
    def of(cls, seen: Seen) -> "NodeOut":
        """A node as it is told."""
        told = "name paused pause_reason hostname version max_tasks in_flight".split()
        told += "cpu_percent memory_mb started_at seen_at".split()
        values = {name: getattr(seen.node, name) for name in told}
        return cls(standing=seen.standing.value, lands=seen.lands, **values)


class ClusterOut(Schema):
    """The cluster as a whole; `master` is empty while nobody leads it."""

    paused: bool
    pause_reason: str
    paused_by: str
    master: str
    term: int


class Size(In):
    """How many fetches a node may have in flight."""

    max_tasks: Annotated[int, Field(ge=1, le=10_000)]
    reason: Reason = ""
