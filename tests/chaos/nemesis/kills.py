"""How soon the nodes obeyed: what was killed while it ran, and when that was confirmed.

All times are the database's, which alone says when a kill was asked for and when confirmed.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from hashworld.tasks.models import Kill
from tests.chaos.nemesis.rescue import Silence

#: Seconds within which a running fetch must be cut off (contract C8).
KILL_LIMIT = 2.0


class Order(NamedTuple):
    """A kill of a fetch that ran on one incarnation of a node."""

    task: int
    incarnation: str
    asked_at: datetime
    confirmed_at: datetime | None

    @property
    def seconds(self) -> float | None:
        """From the kill until its confirmation; None of one that nobody confirmed."""
        return (self.confirmed_at - self.asked_at).total_seconds() if self.confirmed_at else None


def read(tasks: Iterable[int]) -> list[Order]:
    """The kills of these tasks' fetches."""
    asked = Kill.objects.filter(task_id__in=list(tasks)).select_related("lease")
    return [
        Order(each.task_id, each.lease.incarnation, each.asked_at, each.confirmed_at)
        for each in asked
    ]


def hearable(orders: Iterable[Order], silences: Sequence[Silence], grace: timedelta) -> list[Order]:
    """Those whose node was not struck from the kill until the kill was due or confirmed."""
    return [
        order
        for order in orders
        if not any(
            silence.incarnation == order.incarnation and _meet(order, silence, grace)
            for silence in silences
        )
    ]


def slowest(orders: Iterable[Order]) -> float:
    """The most seconds that a confirmation took; 0 without any."""
    return max((order.seconds for order in orders if order.seconds is not None), default=0.0)


def wrongs(orders: Iterable[Order]) -> list[str]:
    """Those that were not confirmed, or not in time; the node of each heard it."""
    return [
        f"the kill of task {order.task} was confirmed after {order.seconds} s"
        for order in orders
        if order.seconds is None or order.seconds > KILL_LIMIT
    ]


def _meet(order: Order, silence: Silence, grace: timedelta) -> bool:
    """Whether a silence, with `grace` after it, was there before the kill was overdue."""
    due = order.asked_at + timedelta(seconds=KILL_LIMIT)
    until = min(order.confirmed_at or due, due)
    over = silence.ended + grace if silence.ended else None
    return silence.began <= until and (over is None or order.asked_at <= over)
