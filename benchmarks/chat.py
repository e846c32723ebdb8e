"""The chatroom beside Django Channels: one server process, 1,000 clients in one room.

Both get the same load in the same run: a few speakers, each of whom says the next thing when the
last one is back, and everybody hears all of it. Both go through the same Redis. Then, for the
chatroom alone, a reader that stands still, and thousands of idle connections.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import redis
import uvloop

from benchmarks.crowd import Member, Tally, gather, stamped, text_frame
from hashworld.api import tickets
from tests.services.redis import Redis
from tests.services.service import comes_true, free_port

ORIGIN = "http://bench.example"
KEY = "a secret of the benchmark"
ROOM = "#bench"
SPEAKERS = 8
#: Of so many clients the latency of every message is measured.
MEASURED = 50
PADDING = "x" * 80
ROOT = Path(__file__).resolve().parents[1]


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
    last = -1
    while tally.delivered < wanted and tally.delivered != last:
        last = tally.delivered
        await asyncio.sleep(10)


async def stall(port: int, clients: int, rate: float) -> dict[str, Any]:
    """A paced talk without and with a member that reads nothing: p99 of the others, and how soon
    it was put out."""
    speech, tally = ChatroomSpeech(), Tally()
    members = await _gather(speech, port, clients, tally)
    for member in members[:MEASURED]:
        member.measures = True
    still = members[-1]

    async def pace(seconds: float) -> float:
        tally.latencies = []
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end and not _put_out(port):
            for _ in range(int(rate)):
                members[number % SPEAKERS].transport.write(text_frame(speech.message(number)))
                number += 1
                await asyncio.sleep(1 / rate)
        await asyncio.sleep(1)
        return round(1e3 * cuts(tally.latencies)[1], 1)

    alone = await pace(10)
    still.transport.pause_reading()
    began = time.monotonic()
    beside = await pace(40)
    seconds = time.monotonic() - began - 1
    out = _put_out(port)
    for member in members:
        member.transport.abort()
    return {
        "stalled_put_out_s": round(seconds, 1) if out else None,
        "p99_ms_without_stalled": alone,
        "p99_ms_with_stalled": beside,
    }


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


@contextmanager
def server(command: list[str], environment: dict[str, str], port: int) -> Iterator[psutil.Process]:
    """A server that listens, until the end of the block."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=log, stderr=log, cwd=ROOT
        )
        try:
            if not comes_true(lambda: _listens(process.pid, port), 30):
                log.seek(0)
                raise SystemExit(f"{command} does not listen:\n{log.read().decode()[-2000:]}")
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def chatroom(port: int, url: str) -> tuple[list[str], dict[str, str], int]:
    """The chatroom's command, with limits that let a crowd in from one address."""
    many = (
        "CONNECTIONS",
        "PER_USER",
        "PER_ADDRESS",
        "MESSAGE_BURST",
        "FRAME_BURST",
        "ARRIVAL_BURST",
    )
    fast = ("MESSAGES", "FRAMES", "ARRIVALS")
    environment = {f"CHATROOM_LIMIT_{name}": "100000" for name in (*many, *fast)}
    environment |= {
        "PYTHONPATH": str(ROOT / "src"),
        "CHATROOM_BIND": f"127.0.0.1:{port}",
        "CHATROOM_REDIS_URL": url,
        "CHATROOM_SECRET": KEY,
        "CHATROOM_ORIGINS": ORIGIN,
    }
    return [sys.executable, "-m", "chatroom"], environment, port


def channels(port: int, url: str) -> tuple[list[str], dict[str, str], int]:
    """Daphne's command."""
    application = "benchmarks.peers.channels_chat:application"
    command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), application]
    return command, {"CHAT_REDIS_URL": url, "PYTHONPATH": str(ROOT)}, port


def run(clients: int, seconds: float, connections: int) -> dict[str, Any]:
    """All of it, on a Redis of its own."""
    with tempfile.TemporaryDirectory() as folder:
        servers = Redis(Path(folder))
        servers.start()
        try:
            ours, theirs = [], []
            for _ in range(2):  # by turns, so that a noisy neighbour is unkind to both
                ours.append(_talk(chatroom, ChatroomSpeech(), servers, clients, seconds))
                theirs.append(_talk(channels, ChannelsSpeech(), servers, clients, seconds))
            best, peer = (max(o, key=lambda one: one.deliveries_per_s) for o in (ours, theirs))
            figures = {
                "deliveries_per_s": best.deliveries_per_s,
                "vs_channels": round(best.deliveries_per_s / peer.deliveries_per_s, 1),
                "p50_ms": best.p50_ms,
                "p99_ms": best.p99_ms,
                "lost": sum(one.lost for one in ours),
                "channels_deliveries_per_s": peer.deliveries_per_s,
                "channels_p99_ms": peer.p99_ms,
                "channels_lost": sum(one.lost for one in theirs),
            }
            with _fresh(chatroom, servers) as (port, _):
                figures |= uvloop.run(stall(port, clients, 20))
            with _fresh(chatroom, servers) as (port, process):
                figures |= uvloop.run(idle(port, process, connections, 35))
            return figures
        finally:
            servers.stop()


@contextmanager
def _fresh(kind: Any, servers: Redis) -> Iterator[tuple[int, psutil.Process]]:
    with redis.Redis.from_url(servers.url) as client:
        client.flushall()
    port = free_port()
    with server(*kind(port, servers.url)) as process:
        yield port, process


def _talk(kind: Any, speech: Speech, servers: Redis, clients: int, seconds: float) -> Outcome:
    with _fresh(kind, servers) as (port, _):
        outcome = uvloop.run(talk(speech, port, clients, seconds))
    print(f"{kind.__name__:9} {outcome}", flush=True)
    return outcome


def _listens(pid: int, port: int) -> bool:
    if not psutil.pid_exists(pid):
        return False
    return any(
        c.status == psutil.CONN_LISTEN and c.laddr.port == port
        for c in psutil.Process(pid).net_connections()
    )


def main() -> None:
    """Ends with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--idle", type=int, default=5000)
    options = parser.parse_args()
    print(json.dumps(run(options.clients, options.seconds, options.idle)))


if __name__ == "__main__":
    main()
