"""The rooms of the cluster: HashWorld's events, told in `#ops` and `#job-N`.

Every instance reads all events and offers what it would say; the bus takes each event once. So no
instance leads, and when one dies the others go on where it was.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from logging import DEBUG, WARNING
from typing import Any, Protocol

from msgspec import Struct

from chatroom.bus import Bus
from chatroom.core import rooms
from chatroom.core.errors import Refused
from chatroom.core.messages import CLUSTER, Card, Message, encode
from chatroom.core.rates import Rates

#: The rate at which a room is told things: what has a card of its own that changes needs few.
OPS_RATE, OPS_BURST = 1.0, 20
PROGRESS_RATE, PROGRESS_BURST = 0.2, 2
ERRORS_RATE, ERRORS_BURST = 0.05, 5
FIRST_DELAY, LONGEST_DELAY = 0.5, 10.0
#: A source that held for so long was well: its next absence is a new one.
WELL_AFTER = 120.0

_TONES = {
    "node.suspected": "warn",
    "node.dead": "bad",
    "node.draining": "warn",
    "node.alive": "good",
    "master.new": "warn",
    "schedule.skipped": "warn",
    "quota.hit": "warn",
    "webhook.disabled": "bad",
    "job.first_error": "bad",
}

log = logging.getLogger(__name__)


class Event(Struct, frozen=True):
    """One of HashWorld's events; its number rises."""

    number: int
    kind: str
    text: str
    at: float = 0.0
    job: int = 0
    node: str = ""
    data: Mapping[str, Any] = {}


class Source(Protocol):
    """Where events come from."""

    def after(self, number: int) -> AsyncIterator[Event]:
        """Those after a number, 0 being now, for ever; raises Refused when it breaks."""


class Throttle:
    """Which events are told: of many only as many as people can read. `now` is monotonic."""

    def __init__(self) -> None:
        self.dropped = 0
        self._ops = Rates(OPS_RATE, OPS_BURST)
        self._progress = Rates(PROGRESS_RATE, PROGRESS_BURST)
        self._errors = Rates(ERRORS_RATE, ERRORS_BURST)

    def passes(self, event: Event, now: float) -> bool:
        """Whether it is told. The beginning and the end of a job always are."""
        if event.kind == "job.progress":
            wait = self._progress.take(event.job, now)
        elif event.kind == "job.first_error":
            wait = self._errors.take(event.job, now)
        elif event.kind.startswith("job."):
            wait = 0.0
        else:
            wait = self._ops.take(event.kind, now)
        self.dropped += bool(wait)
        return not wait

    def forget(self, now: float) -> None:
        """Drop what is not needed any more."""
        for rates in (self._ops, self._progress, self._errors):
            rates.forget(now)


class Feed:
    """Reads a source and writes the rooms, until it is cancelled."""

    def __init__(
        self, bus: Bus, source: Source, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.throttle = Throttle()
        self._bus = bus
        self._source = source
        self._clock = clock

    async def run(self) -> None:
        """For ever; after an error it goes on where it was. Each absence is logged once."""
        delay = FIRST_DELAY
        while True:
            began = self._clock()
            try:
                async for event in self._source.after(await self.position()):
                    await self.take(event)
                    delay = FIRST_DELAY
            except Refused as error:
                if self._clock() - began > WELL_AFTER:
                    delay = FIRST_DELAY
                level = WARNING if delay == FIRST_DELAY else DEBUG
                log.log(level, "the cluster's events are away: %s", error)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    async def position(self) -> int:
        """The number of the last event that was told."""
        return int((await self._bus.fed()).partition("-")[0] or 0)

    async def take(self, event: Event) -> None:
        """Tell an event in its room, unless it was told or is one too many."""
        now = self._clock()
        room = room_of(event)
        if room is None or not self.throttle.passes(event, now):
            return
        entry = Message(room, event.at or time.time(), CLUSTER, card=card_of(event))
        await self._bus.feed(f"{event.number}-0", [(room, encode(entry))])
        self.throttle.forget(now)


def room_of(event: Event) -> str | None:
    """Where an event is told; the ends of single tasks nowhere."""
    if event.kind.startswith("task."):
        return None
    if event.kind.startswith("job."):
        return rooms.job(event.job) if event.job else None
    return rooms.OPS


def card_of(event: Event) -> Card:
    """An event as a card. A job's progress is one card that changes."""
    data = event.data
    link = f"/admin/tasks/job/{event.job}/change/" if event.job else ""
    tone = _TONES.get(event.kind, "info")
    if event.kind == "job.finished":
        tone = "bad" if data.get("runtime_error") else "warn" if data.get("killed") else "good"
    key = f"progress-{event.job}" if event.kind in ("job.progress", "job.finished") else ""
    percent = None
    if key and data.get("total"):
        done = sum(data.get(state, 0) for state in ("succeed", "runtime_error", "killed"))
        percent = round(100 * done / data["total"], 1)
    return Card(event.text or event.kind, tone, (), link, key, percent)
