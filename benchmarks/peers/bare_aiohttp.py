"""Bare aiohttp, the limit: uvloop, 64 at once, bodies read and hashed, nothing stored."""

import asyncio
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import uvloop

from benchmarks import entrant

AT_ONCE = 64


async def fetch_all(urls: list[str]) -> None:
    """Fetch every URL; raises when one of them fails."""
    left = iter(urls)
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, raise_for_status=True) as session:
        await asyncio.gather(*(_fetch_some(session, left) for _ in range(AT_ONCE)))


async def _fetch_some(session: aiohttp.ClientSession, urls: Iterator[str]) -> None:
    for url in urls:
        async with session.get(url) as response:
            hashlib.sha256(await response.read()).hexdigest()


def main(path: str) -> None:
    """Fetch the URLs of a file."""
    urls = Path(path).read_text().splitlines()
    if entrant.ready():
        entrant.tell(entrant.measured(lambda: uvloop.run(fetch_all(urls))))


if __name__ == "__main__":
    main(*sys.argv[1:])
