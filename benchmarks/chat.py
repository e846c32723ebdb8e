"""The chatroom beside Django Channels: one server process, 1,000 clients in one room.

Both get the same load in the same run: a few speakers, each of whom says the next thing when the
last one is back, and everybody hears all of it. Both go through the same Redis. Then, for the
chatroom alone, a reader that stands still, and thousands of idle connections.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis
import uvloop

from benchmarks.talk import (
    KEY,
    ORIGIN,
    ChannelsSpeech,
    ChatroomSpeech,
    Outcome,
    Speech,
    idle,
    stall,
    talk,
)
from tests.services.redis import Redis
from tests.services.service import comes_true, free_port

ROOT = Path(__file__).resolve().parents[1]
#: Seconds that idle connections are held: longer than the server waits for a pong.
IDLE = 25.0
#: Messages a second beside a stalled reader.
RATE = 20.0


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
                figures |= uvloop.run(stall(port, clients, RATE))
            with _fresh(chatroom, servers) as (port, process):
                figures |= uvloop.run(idle(port, process, connections, IDLE))
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
