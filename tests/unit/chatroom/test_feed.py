"""The cluster's events: which rooms hear of them, and of how many."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from chatroom.bus.memory import MemoryBus, Store
from chatroom.core.errors import Unavailable
from chatroom.core.limits import DEFAULT
from chatroom.feed import Event, Feed, Throttle, card_of, room_of
from tests.chatting import memory, running, until


class Written:
    """A source with these events, that breaks at every None."""

    def __init__(self, *events: Event | None) -> None:
        self.events = list(events)

    async def after(self, number: int) -> AsyncIterator[Event]:
        while self.events:
            event = self.events.pop(0)
            if event is None:
                raise Unavailable("broken")
            if event.number > number:
                yield event
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("kind", "room"),
    [
        ("node.dead", "#ops"),
        ("master.new", "#ops"),
        ("quota.hit", "#ops"),
        ("job.finished", "#job-3"),
        ("task.finished", None),
    ],
)
def test_every_kind_has_its_room(kind: str, room: str | None):
    assert room_of(Event(1, kind, "x", job=3)) == room


def test_a_jobs_progress_is_one_card_that_changes():
    data = {"total": 200, "succeed": 40, "runtime_error": 10, "killed": 0}
    first, last = (
        card_of(Event(n, kind, "x", job=3, data=data))
        for n, kind in ((1, "job.progress"), (2, "job.finished"))
    )
    assert first.key == last.key == "progress-3"
    assert first.percent == 25.0
    assert (first.tone, last.tone) == ("info", "bad")


def test_a_job_of_a_million_tasks_does_not_flood_its_room():
    throttle = Throttle()
    events = [Event(n, "job.progress", "x", job=1) for n in range(1000)]
    told = sum(throttle.passes(event, event.number / 100) for event in events)
    assert 2 <= told <= 5
    assert throttle.dropped == 1000 - told
    assert throttle.passes(Event(1, "job.progress", "x", job=2), 10.0)
    assert throttle.passes(Event(1, "job.finished", "x", job=1), 10.0)


async def test_events_are_told_once_though_two_instances_read_them():
    events = [Event(n, "node.dead", f"event {n}", node="n1") for n in range(1, 6)]
    async with running(memory(), 2) as (here, there), here.visit() as ada:
        await ada.join("#ops")
        feeds = [Feed(instance.bus, Written(*events)) for instance in (here, there)]
        for instance, feed in zip((here, there), feeds, strict=True):
            instance.chat.work.start(feed.run(), "events")
        told = [(await ada.get("message", room="#ops"))["card"] for _ in events]
        assert [card["title"] for card in told] == [event.text for event in events]
        assert {card["tone"] for card in told} == {"bad"}
        await ada.say("#ops", "the end")
        assert (await ada.get("message", room="#ops"))["text"] == "the end"


async def test_an_absence_of_the_source_is_told_once(monkeypatch, caplog):
    monkeypatch.setattr("chatroom.feed.FIRST_DELAY", 0.01)
    event = Event(1, "node.dead", "1")
    bus = MemoryBus(Store(DEFAULT))
    bus.up = True
    source = Written(None, None, None, event, None, None)
    task = asyncio.create_task(Feed(bus, source).run())
    await until(lambda: not source.events)
    task.cancel()
    told = [record.levelname for record in caplog.records if record.name == "chatroom.feed"]
    assert told.count("WARNING") == 2, "once before the event, once after it"


async def test_a_source_that_held_for_long_is_told_to_be_away_again(monkeypatch, caplog):
    monkeypatch.setattr("chatroom.feed.FIRST_DELAY", 0.01)
    minutes = itertools.count(step=121.0)
    bus = MemoryBus(Store(DEFAULT))
    bus.up = True
    source = Written(None, None, None)
    task = asyncio.create_task(Feed(bus, source, lambda: next(minutes)).run())
    await until(lambda: not source.events)
    task.cancel()
    assert [r.levelname for r in caplog.records if r.name == "chatroom.feed"] == 3 * ["WARNING"]


async def test_a_source_that_breaks_is_gone_on_with():
    store = Store(DEFAULT)
    bus = MemoryBus(store)
    bus.up = True
    one, two, three = (Event(n, "node.dead", str(n)) for n in (1, 2, 3))
    feed = Feed(bus, Written(one, None, one, two, three))
    task = asyncio.create_task(feed.run())
    await until(lambda: store.fed == "3-0")
    task.cancel()
    assert len(store.streams["#ops"].entries) == 3
