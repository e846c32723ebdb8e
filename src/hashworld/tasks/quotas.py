"""How much a person may hand in: checked for each chunk of a submission, at whichever door.

The tasks of a day are booked by one guarded UPDATE, so that submissions at the same time cannot
have more together than one alone. Unfinished tasks are counted before each chunk: submissions at
the same time may pass that limit by a chunk each.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import F, Q, Sum

from hashworld.nodes import clock
from hashworld.tasks.errors import QuotaPassed
from hashworld.tasks.models import Job, Quota, Task, Usage
from hashworld.transaction import retried

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Seconds after which it is worth trying again when tasks have to end, or to be deleted, first.
SOON = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person may have; None is as much as they like."""

    unfinished: int | None = None
    daily: int | None = None
    bytes: int | None = None


def limits_of(owner: "User") -> Limits:
    """A person's own limits, or the most generous of their groups'."""
    rows = list(Quota.objects.filter(Q(user=owner) | Q(group__in=owner.groups.all())))
    own = [row for row in rows if row.user_id == owner.pk]
    chosen = own or rows

    def most(name: str) -> int | None:
        values = [getattr(row, name) for row in chosen]
        return None if not values or None in values else max(values)

    return Limits(most("unfinished"), most("daily"), most("bytes"))


class Meter:
    """Books one submission's tasks on its owner; who has no limits costs one look."""

    def __init__(self, owner: "User | None") -> None:
        self._owner = owner
        self._limits = limits_of(owner) if owner is not None else Limits()
        self._booked: dict[date, int] = {}
        self._weighed = False

    def take(self, number: int) -> None:
        """Book so many tasks; raises QuotaPassed, and then books none."""
        if self._owner is None or self._limits == Limits():
            return
        self._check_bytes(self._owner)
        self._check_unfinished(self._owner, number)
        if self._limits.daily is not None:
            now = clock.now()
            _book(self._owner, now, number, self._limits.daily)
            self._booked[now.date()] = self._booked.get(now.date(), 0) + number

    def give_back(self) -> None:
        """Book back what was taken, for a submission that came to nothing."""
        for day, number in self._booked.items():
            Usage.objects.filter(owner=self._owner, day=day).update(tasks=F("tasks") - number)
        self._booked.clear()

    def _check_unfinished(self, owner: "User", number: int) -> None:
        most = self._limits.unfinished
        if most is not None and (there := unfinished(owner)) + number > most:
            text = f"{there:,} of your tasks have not ended, and {most:,} is the most at once"
            raise QuotaPassed(f"{text}; wait until some have.", SOON)

    def _check_bytes(self, owner: "User") -> None:
        most = self._limits.bytes
        if most is None or self._weighed:
            return
        self._weighed = True
        if (there := kept_bytes(owner)) >= most:
            text = f"{there:,} bytes are kept for you, and {most:,} is the most"
            raise QuotaPassed(f"{text}; delete jobs that you need no more.", SOON)


def unfinished(owner: "User") -> int:
    """A person's tasks that have not ended, by the counters of their jobs."""
    columns = ("waiting", "inqueue", "running")
    sums = Job.objects.running().filter(owner=owner).aggregate(**{c: Sum(c) for c in columns})
    return sum(value or 0 for value in sums.values())


def kept_bytes(owner: "User") -> int:
    """The bytes of the bodies of a person's tasks; reads them all, once for each submission."""
    tasks = Task.objects.filter(job__owner=owner, content__isnull=False)
    return tasks.aggregate(total=Sum("content__size"))["total"] or 0


@retried
def _book(owner: "User", now: datetime, number: int, most: int) -> None:
    if number <= most:
        Usage.objects.get_or_create(owner=owner, day=now.date())
        today = Usage.objects.filter(owner=owner, day=now.date(), tasks__lte=most - number)
        if today.update(tasks=F("tasks") + number):
            return
    text = f"{most:,} tasks a day is the most that you may hand in"
    raise QuotaPassed(f"{text}; go on tomorrow.", _until_tomorrow(now))


def _until_tomorrow(now: datetime) -> int:
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(1, round((midnight - now).total_seconds()))
