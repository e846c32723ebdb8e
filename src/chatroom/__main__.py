"""`python -m chatroom`: one instance, until SIGTERM or SIGINT."""

import asyncio
import logging
import signal
import sys
from contextlib import AsyncExitStack

import uvloop

from chatroom import config, logs
from chatroom.bus import Bus
from chatroom.bus.memory import MemoryBus, Store
from chatroom.chat import Chat
from chatroom.commands import Commands
from chatroom.config import Config
from chatroom.connection import frame
from chatroom.feed import Feed, Source
from chatroom.gateway import Gateway
from chatroom.remote import RemoteCluster, RemoteEvents

log = logging.getLogger("chatroom")


def main() -> int:
    """The exit code: 2 when the environment cannot be used, 1 when the address cannot."""
    try:
        chosen = config.from_process()
    except config.ConfigInvalid as error:
        print(f"The environment cannot be used: {error}", file=sys.stderr)
        return 2
    logs.configure(chosen.log_level, chosen.log_format)
    return uvloop.run(run(chosen))


async def run(chosen: Config) -> int:
    """Serve until told to stop."""
    chat = Chat(_bus(chosen), chosen.limits, chosen.secret, frame)
    gateway = Gateway(chat, chosen)
    async with AsyncExitStack() as closing:
        feed = _connect(chat, chosen, closing)
        try:
            await gateway.start()
        except OSError as error:
            log.error("cannot listen on %s:%s: %s", chosen.host, chosen.port, error)
            return 1
        await chat.start()
        if feed:
            chat.work.start(feed.run(), "events")
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        kind = "Redis" if chosen.redis_url else "memory"
        log.info("chatroom ready on %s:%s, bus in %s", chosen.host, gateway.port, kind)
        await stop.wait()
        log.info("draining")
        await gateway.drain()
        await chat.stop()
    return 0


def _bus(chosen: Config) -> Bus:
    if not chosen.redis_url:
        return MemoryBus(Store(chosen.limits))
    from chatroom.bus.redis import RedisBus  # not needed, nor perhaps there, without Redis

    return RedisBus(chosen.redis_url, chosen.limits)


def _connect(chat: Chat, chosen: Config, closing: AsyncExitStack) -> Feed | None:
    """Commands over gRPC; events from Redis or over gRPC, where there is either."""
    source: Source | None = None
    if chosen.rpc:
        cluster = RemoteCluster(chosen.rpc, chosen.rpc_tls)
        closing.push_async_callback(cluster.close)
        chat.services.register("commands", Commands(chat, chat.work, cluster))
        if chosen.token:
            source = RemoteEvents(cluster, chosen.token)
    if chosen.redis_url:
        from chatroom.bus.events import RedisEvents

        events = RedisEvents(chosen.redis_url)
        closing.push_async_callback(events.close)
        source = events
    return Feed(chat.bus, source) if source else None


if __name__ == "__main__":
    sys.exit(main())
