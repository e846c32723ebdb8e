"""From an engine's response to a decided try: decode, hash, compress, describe.

It runs in the finishing thread of a node; most of it is work that releases the interpreter lock.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import random

from hashworld.fetcher import body as page
from hashworld.fetcher.engine import Response
from hashworld.fetcher.errors import BodyError, ErrorKind
from hashworld.fetcher.exchange import header
from hashworld.tasks import content
from hashworld.tasks.accounts import Moved
from hashworld.tasks.attempts import Ended
from hashworld.tasks.retry import RetryPolicy, decide, retry_after

DETAIL = 300
URL = 2048


@dataclass(slots=True)
class Running:
    """What the runner knows of a task that it holds."""

    task: Moved
    failures: int
    policy: RetryPolicy


def finish(
    response: Response, running: Running, node_id: int, dice: Callable[[], float] = random
) -> Ended:
    """The decided try, with its body ready to be kept; bodies of error pages are kept too."""
    error, detail, body = response.error, response.detail, None
    if response.status is not None and (error is None or response.raw):
        try:
            body = page.decode(response.raw, response.headers, response.request.limits)
        except BodyError as broken:
            # A broken page of an error leaves it the error it is, and as retryable.
            if error is None:
                error, detail = broken.kind, str(broken)
    verb, delay = decide(error, running.failures, running.policy, _wish(response, error), dice)
    times = response.timings
    phases = (times.dns, times.connect, times.tls, times.first_byte, times.total)
    ended = Ended(
        task=running.task,
        node_id=node_id,
        verb=verb,
        delay=delay,
        seconds=times.total or 0.0,
        status=response.status,
        error=str(error or ""),
        detail=detail[:DETAIL],
        final_url="" if response.url == response.request.url else response.url[:URL],
        redirects="\n".join(f"{status} {url}" for status, url in response.redirects),
        headers="\n".join(f"{name}: {value}" for name, value in response.headers),
        ip=response.ip,
        received=response.received,
        timings=tuple(None if phase is None else phase * 1000 for phase in phases),
    )
    if body is not None:
        _attach(ended, body, header(response.headers, "content-type") or "")
    return ended


def _attach(ended: Ended, body: bytes, content_type: str) -> None:
    ended.sha256 = hashlib.sha256(body).hexdigest()
    ended.size = len(body)
    ended.compressed = content.compress(body)
    ended.content_type = content_type[:100]
    ended.charset = page.charset_of(body, content_type)
    ended.title = page.title_of(body, ended.charset, content_type)


def _wish(response: Response, error: ErrorKind | None) -> float | None:
    """How long the server asks to be left alone, in seconds."""
    if error is None:
        return None
    return retry_after(header(response.headers, "retry-after"), datetime.now(UTC))
