"""Whether a node that is cut off lets go of its work before its lease is over.

The witness is the site, which knows when the client of a page that never answers hung up. It and
the database are on one machine, so their clocks are one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from hashworld.tasks.models import Lease
from tests.chaos.site import Site


class Hold(NamedTuple):
    """A fetch that would never end, and the lease under which a node was cut off with it."""

    kind: str
    node: str
    url: str
    lease: int
    since: datetime


class LetGo(NamedTuple):
    """When the node hung up, and when its lease was over; None where it never did."""

    hold: Hold
    expired_at: datetime
    closed_at: datetime | None

    @property
    def late(self) -> float | None:
        """Seconds from the end of the lease until the node hung up; less than 0 is in time."""
        return (self.closed_at - self.expired_at).total_seconds() if self.closed_at else None


def read(holds: Iterable[Hold], site: Site) -> list[LetGo]:
    """What became of these fetches; a lease that is over keeps the moment of its end."""
    return [
        LetGo(
            hold,
            Lease.objects.get(pk=hold.lease).expires_at,
            next((at for at in site.hung_up(hold.url) if at > hold.since), None),
        )
        for hold in holds
    ]


def least_left(found: Sequence[LetGo]) -> float:
    """The fewest seconds that a lease still lasted when its node had hung up; 0 of none."""
    return min((-each.late for each in found if each.late is not None), default=0.0)


def wrongs(found: Iterable[LetGo]) -> list[str]:
    """The nodes that went on with what might be others' by then."""
    return [
        f"{each.hold.kind}: {each.hold.node} let go {each.late} s after its lease was over"
        for each in found
        if each.late is None or each.late > 0
    ]
