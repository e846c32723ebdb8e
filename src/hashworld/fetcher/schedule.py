"""Whose turn it is: a waiting line for each host, taken round and round. Pure: no clock, no I/O.

The hosts of each lane have a ring of their own, and lanes take turns: a lane with few hosts starts
as many as one with a thousand.
"""

from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import Generic, Protocol, TypeVar

from .limits import HostLimits


class Waiting(Protocol):
    """What can stand in line. One given up is left standing and skipped at its turn."""

    abandoned: bool

    @property
    def lane(self) -> int: ...


T = TypeVar("T", bound=Waiting)


class _Line(Generic[T]):
    """The line of one host. At most one of `in_ring` and `in_clock` is true."""

    __slots__ = ("host", "in_clock", "in_ring", "limits", "next_start", "running", "waiting")

    def __init__(self, host: str, limits: HostLimits) -> None:
        self.host = host
        self.limits = limits
        self.waiting: deque[T] = deque()
        self.running = 0
        self.next_start = 0.0
        self.in_ring = False
        self.in_clock = False


class _Ring(Generic[T]):
    """The hosts that may start one, as far as is known: a ring for each lane."""

    def __init__(self) -> None:
        self._turns: deque[int] = deque()
        self._lines: dict[int, deque[_Line[T]]] = {}

    def __bool__(self) -> bool:
        return bool(self._turns)

    def append(self, line: _Line[T]) -> None:
        """Put a line at the end of the ring of whoever is first in it."""
        lane = line.waiting[0].lane
        if lane not in self._lines:
            self._lines[lane] = deque()
            self._turns.append(lane)
        self._lines[lane].append(line)

    def popleft(self) -> _Line[T]:
        """The first line of the lane whose turn it is."""
        lane = self._turns.popleft()
        lines = self._lines[lane]
        line = lines.popleft()
        if lines:
            self._turns.append(lane)
        else:
            del self._lines[lane]
        return line


class Schedule(Generic[T]):
    """Hands out items so that no host gets more than its limits and every host gets its turn.

    Each step costs constant time, or the logarithm of the hosts now waiting for their interval.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self._lines: dict[str, _Line[T]] = {}
        self._ring: _Ring[T] = _Ring()
        self._clock: list[tuple[float, int, _Line[T]]] = []  # hosts held by their interval
        self._tie = count()

    def push(self, host: str, limits: HostLimits, item: T) -> None:
        """Put `item` at the end of its host's line; `limits` hold for the host from now on."""
        line = self._line(host, limits)
        line.limits = limits
        line.waiting.append(item)
        self._offer(line)

    def push_first(self, host: str, limits: HostLimits, item: T) -> None:
        """Put `item` at the head of the line; `limits` count only if the host has none yet."""
        line = self._line(host, limits)
        line.waiting.appendleft(item)
        self._offer(line)

    def pop(self, now: float) -> T | None:
        """The next item that may start now, counted as running from here on; None if none may."""
        self._ring_in(now)
        while self._ring:
            line = self._ring.popleft()
            line.in_ring = False
            item = self._take(line, now)
            if item is not None:
                return item
        return None

    def release(self, host: str, now: float) -> None:
        """One of the host's running items has ended."""
        line = self._lines[host]
        line.running -= 1
        self._offer(line)
        self._rest(line, now)

    def abandon(self, item: T) -> None:
        """Give up an item that is waiting: it will not be handed out."""
        item.abandoned = True
        self.waiting -= 1

    def next_due(self) -> float | None:
        """When the first host held by its interval may start again; None if none is held."""
        return self._clock[0][0] if self._clock else None

    def _line(self, host: str, limits: HostLimits) -> _Line[T]:
        line = self._lines.get(host)
        if line is None:
            line = self._lines[host] = _Line(host, limits)
        self.waiting += 1
        return line

    def _offer(self, line: _Line[T]) -> None:
        if line.in_ring or line.in_clock or not line.waiting:
            return
        if line.running < line.limits.max_connections:
            line.in_ring = True
            self._ring.append(line)

    def _take(self, line: _Line[T], now: float) -> T | None:
        while line.waiting and line.waiting[0].abandoned:
            line.waiting.popleft()
        if not line.waiting or now < line.next_start:
            self._rest(line, now)
            return None
        item = line.waiting.popleft()
        self.waiting -= 1
        line.running += 1
        if line.limits.min_interval:
            line.next_start = now + line.limits.min_interval
        self._offer(line)
        return item

    def _ring_in(self, now: float) -> None:
        while self._clock and self._clock[0][0] <= now:
            line = heappop(self._clock)[2]
            line.in_clock = False
            self._offer(line)
            self._rest(line, now)

    def _rest(self, line: _Line[T], now: float) -> None:
        """Hold a line until its interval is over, or forget it when nothing keeps it."""
        if line.in_ring or line.in_clock:
            return
        if now < line.next_start:
            line.in_clock = True
            heappush(self._clock, (line.next_start, next(self._tie), line))
        elif not line.waiting and not line.running:
            del self._lines[line.host]
