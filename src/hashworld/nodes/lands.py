"""Which node owns which land: weighted rendezvous hashing.

Every node gets a score for every land and the highest wins, so a node that leaves moves only its
own lands and one that joins takes no more than its share (Thaler and Ravishankar, 1998). Weights
follow the logarithmic method of Schindelhauer and Schomaker (2005).
"""

from collections.abc import Mapping
from hashlib import blake2b
from math import log

from django.db import transaction

from hashworld.nodes import clock, identity, leadership
from hashworld.nodes.leadership import Candidate
from hashworld.nodes.models import LANDS, Land, Node


def land_of(host: str) -> int:
    """The land of a host's name, the same on every machine and in every version."""
    return int.from_bytes(blake2b(host.encode(), digest_size=8).digest(), "big") % LANDS


def plan(weights: Mapping[str, int]) -> dict[int, str]:
    """The owner's name for each land, given each live node's weight (its `max_tasks`)."""
    if not weights:
        return {}
    return {
        land: max(weights, key=lambda name: (_score(name, weights[name], land), name))
        for land in range(LANDS)
    }


def _score(name: str, weight: int, land: int) -> float:
    digest = blake2b(f"{name}/{land}".encode(), digest_size=8).digest()
    fraction = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)
    return -weight / log(fraction)


def make() -> int:
    """Create the lands that are missing; the number made (0 when run again)."""
    before = Land.objects.count()
    Land.objects.bulk_create((Land(id=i) for i in range(LANDS)), ignore_conflicts=True)
    return Land.objects.count() - before


def assign(term: int | None) -> int:
    """Give every land to its planned owner among the live nodes; the number that moved.

    Only the master's term may: raises TermOver for any other. With no live node nothing moves:
    there is nobody to move to.
    """
    with transaction.atomic():
        leadership.guard(term)
        nodes = {node.name: node for node in Node.objects.alive(clock.now())}
        planned = plan({name: node.max_tasks for name, node in nodes.items()})
        owners = dict(Land.objects.select_for_update().values_list("id", "node_id"))
        moves: dict[int, list[int]] = {}
        for land, name in planned.items():
            owner = nodes[name].pk
            if land in owners and owners[land] != owner:
                moves.setdefault(owner, []).append(land)
        for owner, lands in moves.items():
            Land.objects.filter(id__in=lands).update(node_id=owner)
    return sum(map(len, moves.values()))


def replan() -> int:
    """Assign the lands on demand, whoever leads; the number that moved.

    Where nobody leads, this process does for a moment. Else it writes under the master's term:
    the guard keeps both from writing at once, and both plan alike. Raises TermOver when the
    leadership changes hands at this very moment.
    """
    candidate = Candidate(f"{identity.name()}/{identity.incarnation()}")
    if candidate.run_once():
        try:
            return assign(candidate.term)
        finally:
            candidate.resign()
    master = leadership.master(clock.now())
    return assign(master.term if master else None)
