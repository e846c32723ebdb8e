"""Following a job's progress: a long poll, or server-sent events.

Who waits holds a thread of the server, so only some may at once: others are told to come back.
"""

import json
from collections.abc import Generator, Iterator
from threading import BoundedSemaphore, Event
from time import monotonic
from typing import TYPE_CHECKING

from django.http import StreamingHttpResponse

from hashworld.api.schemas.jobs import ProgressOut
from hashworld.verbs import jobs
from hashworld.verbs.errors import NotFound, QuotaExceeded

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Seconds between two looks at the job's row.
PAUSE = 0.5
#: Seconds of a long poll, at most.
LONGEST = 60
#: Seconds of a stream; then it ends, and the browser comes back by itself.
STREAM = 300.0
#: Seconds after which a stream that has nothing to say says so, for whoever is in between.
QUIET = 15.0
#: How many wait in one process: half of its threads, the others answer.
WAITING = 4

_places = BoundedSemaphore(WAITING)


def poll(user: "User", job_id: int, seen: str, wait: float) -> ProgressOut:
    """A job's progress, when it is no longer as `seen`, it is finished, or `wait` is over."""
    now = _look(user, job_id)
    if not wait or now.version != seen or now.finished:
        return now
    _take_place()
    try:
        deadline = monotonic() + wait
        while now.version == seen and not now.finished and monotonic() < deadline:
            _pause(min(PAUSE, max(0.0, deadline - monotonic())))
            now = _look(user, job_id)
        return now
    finally:
        _places.release()


def stream(user: "User", job_id: int, seen: str) -> StreamingHttpResponse:
    """A job's progress as server-sent events whose ids are its versions, until it is finished."""
    _look(user, job_id)
    _take_place()
    response = StreamingHttpResponse(
        _Events(user, job_id, seen),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )
    return response


class _Events(Iterator[bytes]):
    """The events; its place is free again when the server closes it, begun or not."""

    def __init__(self, user: "User", job_id: int, seen: str) -> None:
        self._events = _events(user, job_id, seen)
        self._holds = True

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """Called by the server at the end of the answer, whatever ended it."""
        self._events.close()
        if self._holds:
            self._holds = False
            _places.release()


def _events(user: "User", job_id: int, seen: str) -> Generator[bytes, None, None]:
    end = monotonic() + STREAM
    spoken = monotonic()
    while monotonic() < end:
        try:
            now = _look(user, job_id)
        except NotFound:
            yield b"event: deleted\ndata: {}\n\n"
            return
        if now.version != seen:
            seen, spoken = now.version, monotonic()
            yield _event("finished" if now.finished else "progress", now)
        elif monotonic() > spoken + QUIET:
            spoken = monotonic()
            yield b": still here\n\n"
        if now.finished:
            return
        _pause(PAUSE)


def _event(name: str, now: ProgressOut) -> bytes:
    data = json.dumps(now.model_dump(mode="json"))
    return f"event: {name}\nid: {now.version}\ndata: {data}\n\n".encode()


def _look(user: "User", job_id: int) -> ProgressOut:
    return ProgressOut.of(jobs.get(user, job_id))


def _take_place() -> None:
    if not _places.acquire(blocking=False):
        raise QuotaExceeded("Too many are waiting here; ask without waiting.", retry_after=5)


def _pause(seconds: float) -> None:
    Event().wait(seconds)
