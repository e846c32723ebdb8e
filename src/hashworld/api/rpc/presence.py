"""Nodes that come by the remote door: they beat and stand for election, but take no leases.

Such a node has no queue at the broker, so its row stays JOINING: dispatch and the lands pass it
over. A node that works is known by its own heartbeat; a beat by this door is one more sign of
life of it.
"""

from datetime import timedelta

from django.db import IntegrityError, transaction

import hashworld
from hashworld.nodes import clock, identity, lands, leadership
from hashworld.nodes.leadership import Candidate
from hashworld.nodes.models import MAX_TASKS, Leadership, Node, NodeState, Standing
from hashworld.tasks import reaper
from hashworld.verbs.errors import Invalid

#: What takes the place of an incarnation in the name of who leads by this door.
BY_DOOR = "rpc"
#: How the rows of nodes are marked that know this door only.
REMOTE = "remote"


def beat(name: str, in_flight: int = 0) -> None:
    """Record a sign of life, and make the row of a node that has none."""
    if not 0 <= in_flight <= MAX_TASKS:
        raise Invalid("in_flight", f"must be from 0 to {MAX_TASKS}")
    now = clock.now()
    nodes = Node.objects.filter(name=name)
    ours = nodes.filter(boot_id=REMOTE)
    # A node that works tells by itself what it has in flight.
    if ours.update(seen_at=now, in_flight=in_flight, state=NodeState.JOINING):
        return
    if nodes.exclude(state=NodeState.LEFT).update(seen_at=now) or nodes.exists():
        return
    row = {"incarnation": identity.incarnation(), "state": NodeState.JOINING, "boot_id": REMOTE}
    more = {"hostname": name, "pid": 0, "version": hashworld.__version__, "max_tasks": 1}
    try:
        with transaction.atomic():
            Node.objects.create(name=name, started_at=now, seen_at=now, **row, **more)
    except IntegrityError:
        ours.update(seen_at=now, in_flight=in_flight)


def is_alive(name: str, host: str = "") -> bool:
    """Whether a node is there and, where a host is given, on that host."""
    found = Node.objects.filter(name=name).first()
    if found is None or host not in ("", found.hostname):
        return False
    return found.standing(clock.now()) not in (Standing.SUSPECTED, Standing.DEAD, Standing.LEFT)


def stand(name: str) -> Leadership | None:
    """Let a node compete for the leadership now; who holds the term.

    It takes the term only if no scheduler process has wanted it for twice the time in which those
    look: they do all that a master does, and a node by this door does not fire schedules. While it
    leads, each call assigns the lands and rescues what was lost.
    """
    candidate = Candidate(f"{name}/{BY_DOOR}")
    row = Leadership.objects.filter(pk=leadership.ROW).first()
    now = clock.now()
    if row and row.holder == candidate.holder and row.expires_at > now:
        candidate.knows(row.term)
        candidate.run_once()
    elif row is None or not row.term or row.expires_at <= now - _patience():
        candidate.run_once()
    if candidate.term is not None:
        lands.make()
        lands.assign(candidate.term)
        reaper.reap()
    return leadership.master(clock.now())


def _patience() -> timedelta:
    return timedelta(seconds=2 * leadership.length() * leadership.LOOK)
