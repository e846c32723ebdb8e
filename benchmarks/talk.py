"""What a crowd in a room measures: talk, a reader that stands still, and idle connections."""

import asyncio
import json
import re
import statistics
import time
import urllib.request
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil

from benchmarks.crowd import Member, Tally, gather, stamped, text_frame
from hashworld.api import tickets

ORIGIN = "http://bench.example"
KEY = "a secret of the benchmark"
ROOM = "#bench"
SPEAKERS = 8
#: Of so many clients the latency of every message is measured.
MEASURED = 50
PADDING = "x" * 80
#: Seconds of a paced talk without a stalled member, and at most with one.
PACED, LONGEST_STALL = 20.0, 40.0
#: Parts of such a talk whose p99 are told apart.
PARTS = 5
#: Seconds without a message after which no more are waited for.
SILENCE = 15.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a crowd heard. Times are milliseconds."""

    deliveries_per_s: float
    p50_ms: float
    p99_ms: float
    lost: int


class ChatroomSpeech:
    """How one speaks to the chatroom."""

    settles = b'"t":"joined"'

    def greeting(self, number: int) -> list[bytes]:
        ticket = tickets.sign(
            KEY, time.time(), id=number + 1, name=f"p{number}", groups=["viewer"], superuser=False
        )
        hello = {"t": "hello", "ticket": ticket}
        join = {"t": "join", "room": ROOM, "ref": "j"}
        return [json.dumps(hello).encode(), json.dumps(join).encode()]

    def message(self, number: int) -> bytes:
        text = f"{stamped().decode()} {PADDING} by {number}."
        return json.dumps({"t": "say", "room": ROOM, "text": text}).encode()


class ChannelsSpeech:
    """How one speaks to the room of Channels: without rooms, tickets or numbers."""

    settles = b""

    def greeting(self, number: int) -> list[bytes]:
        return []

    def message(self, number: int) -> bytes:
        return stamped() + f" {PADDING} by {number}.".encode()


Speech = ChatroomSpeech | ChannelsSpeech


async def talk(speech: Speech, port: int, clients: int, seconds: float) -> Outcome:
    """A crowd that talks for so long."""
    tally = Tally()
    members = await _gather(speech, port, clients, tally)
    outcome = await _measure(speech, members, tally, seconds)
    for member in members:
        member.transport.abort()
    return outcome


async def _gather(speech: Speech, port: int, clients: int, tally: Tally) -> list[Member]:
    def make(number: int, tally: Tally) -> Member:
        member = Member(tally, "/ws/", ORIGIN, speech.greeting(number))
        member.until = speech.settles
        return member

    members = await gather(clients, ("127.0.0.1", port), make, tally)
    await asyncio.sleep(2)  # whoever came last is in the room
    return members


async def _measure(speech: Speech, members: list[Member], tally: Tally, seconds: float) -> Outcome:
    before = [member.count for member in members]
    tally.delivered, tally.latencies = 0, []
    sent, end = 0, time.monotonic() + seconds

    def following(number: int) -> bytes | None:
        nonlocal sent
        if time.monotonic() > end:
            return None
        sent += 1
        return speech.message(number)

    for member in members[:MEASURED]:
        member.measures = True
    began = time.monotonic()
    for number, member in enumerate(members[:SPEAKERS]):
        member.own = f" by {number}.".encode()
        member.again = partial(following, number)
        member.send()
    await asyncio.sleep(seconds)
    rate = tally.delivered / (time.monotonic() - began)
    await _drained(tally, sent * len(members))
    heard = sum(member.count for member in members) - sum(before)
    median, slow = (round(1e3 * cut, 1) for cut in cuts(tally.latencies))
    return Outcome(round(rate), median, slow, sent * len(members) - heard)


def cuts(latencies: list[float]) -> tuple[float, float]:
    """The 50th and the 99th of a hundred."""
    hundred = statistics.quantiles(latencies, n=100)
    return hundred[49], hundred[98]


async def _drained(tally: Tally, wanted: int) -> None:
    """Wait until all has come, or nothing comes any more."""
    last, since = -1, time.monotonic()
    while tally.delivered < wanted and time.monotonic() - since < SILENCE:
        if tally.delivered != last:
            last, since = tally.delivered, time.monotonic()
        await asyncio.sleep(0.1)


async def stall(port: int, clients: int, rate: float) -> dict[str, Any]:
    """A paced talk without and with a member that reads nothing: p99 of the others, and how soon
    it was put out."""
    tally = Tally()
    members = await _gather(ChatroomSpeech(), port, clients, tally)
    for member in members[:MEASURED]:
        member.measures = True
    alone, _ = await _pace(members, tally, port, rate, PACED)
    members[-1].transport.pause_reading()
    beside, seconds = await _pace(members, tally, port, rate, LONGEST_STALL)
    for member in members:
        member.transport.abort()
    return {
        "stalled_put_out_s": seconds,
        "p99_ms_without_stalled": statistics.median(alone),
        "p99_ms_with_stalled": statistics.median(beside),
        "p99s_ms_without_stalled": alone,
        "p99s_ms_with_stalled": beside,
    }


async def _pace(
    members: list[Member], tally: Tally, port: int, rate: float, seconds: float
) -> tuple[list[float], float | None]:
    """Say so much a second until somebody is put out; after how many seconds that was.

    And the p99 in ms of each part of that time, which tell how much they differ by themselves.
    """
    speech, began, number = ChatroomSpeech(), time.monotonic(), 0
    tally.latencies = []
    out = asyncio.create_task(_somebody_put_out(port))
    while time.monotonic() - began < seconds and not out.done():
        members[number % SPEAKERS].transport.write(text_frame(speech.message(number)))
        number += 1
        await asyncio.sleep(began + number / rate - time.monotonic())
    after = round(time.monotonic() - began, 1) if out.done() else None
    out.cancel()
    await _drained(tally, number * (len(members) - 1))
    size = -(-len(tally.latencies) // PARTS)
    parts = [tally.latencies[first : first + size] for first in range(0, PARTS * size, size)]
    return [round(1e3 * cuts(part)[1], 1) for part in parts], after


async def _somebody_put_out(port: int) -> None:
    # In a thread: the loop that measures must not wait for the answer.
    while not await asyncio.to_thread(_put_out, port):  # noqa: ASYNC110 - another process's
        await asyncio.sleep(0.5)


async def idle(
    port: int, process: psutil.Process, connections: int, seconds: float
) -> dict[str, Any]:
    """So many connections in a room that say nothing."""
    before = process.memory_info().rss
    tally = Tally()
    members = await _gather(ChatroomSpeech(), port, connections, tally)
    await asyncio.sleep(seconds)
    held = len(members) - tally.closed
    each = (process.memory_info().rss - before) / 1024 / connections
    for member in members:
        member.transport.abort()
    return {"idle_connections": held, "kb_per_idle_connection": round(each, 1)}


def _put_out(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.search(r"^chatroom_put_out_total (\d+)", text, re.MULTILINE)
    return found is not None and int(found[1]) > 0
