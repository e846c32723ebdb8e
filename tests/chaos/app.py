"""The Celery application of the nodes under test: HashWorld's own, but obedient.

A page that says so (see `tests.chaos.site`) makes the process that fetched it die, freeze amid the
transaction that writes its result, or wait with the result in its hands until it was frozen and
thawed by whoever runs the test, who knows which locks it must not hold then.

A file that names one of `POINTS` makes the process stand still when it gets there, once.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Event, get_ident
from typing import Any

from celery.signals import worker_init

from hashworld.celery import app
from tests.chaos.site import DIE, FREEZE, FREEZE_WRITING, ORDER, PARKED

__all__ = ["app"]

BEFORE, AFTER = "before", "after"
#: Where a node can be told to stand still: which call, and on which side of it.
POINTS = {
    "committed, not published": ("hashworld.tasks.publisher:CeleryPublisher.publish", BEFORE),
    "published, not noted": ("hashworld.tasks.publisher:CeleryPublisher.publish", AFTER),
    "received, not started": ("hashworld.tasks.moves:start", BEFORE),
    "started, not loaded": ("hashworld.tasks.moves:start", AFTER),
    "taken, not acknowledged": ("hashworld.tasks.runner:Runner.take", AFTER),
    "fetched, not handed over": ("hashworld.tasks.runner:finish", AFTER),
    "body kept, not named": ("hashworld.tasks.content.packs:PackStore.keep", AFTER),
    "recorded, not committed": ("hashworld.tasks.moves:finish", AFTER),
    "committed, not told": ("hashworld.tasks.writer:record", AFTER),
    "renewed, not noted": ("hashworld.tasks.renewal:Renewer._renew", AFTER),
}


def stand_still() -> None:
    """Stop the process here: a signal to the whole of it is another thread's to take, and this one
    would run on until that has its turn."""
    signal.pthread_kill(get_ident(), signal.SIGSTOP)


@worker_init.connect
def obey(**_: Any) -> None:
    """Let the node obey what a page says, and what the file of its failpoint says."""
    # They import models, which need Django's set-up; Celery has done it by now.
    runner: Any = import_module("hashworld.tasks.runner")
    moves: Any = import_module("hashworld.tasks.moves")
    finish, write = runner.finish, moves.finish
    thawed, blocked = Event(), False
    signal.signal(signal.SIGCONT, lambda *_: thawed.set())

    def finish_and_obey(response: Any, *arguments: Any) -> Any:
        nonlocal blocked
        ended = finish(response, *arguments)
        said = {name.lower(): value for name, value in response.headers}.get(ORDER.lower(), "")
        if said == DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        if said == FREEZE:
            thawed.clear()
            print(PARKED)
            thawed.wait()
        blocked = said == FREEZE_WRITING
        return ended

    def write_and_obey(*arguments: Any) -> Any:
        nonlocal blocked
        written = write(*arguments)
        if blocked:
            blocked = False
            stand_still()
        return written

    runner.finish = finish_and_obey
    moves.finish = write_and_obey
    if "HASHWORLD_TEST_FAILPOINT" in os.environ:
        _stand_still_at_points(Path(os.environ["HASHWORLD_TEST_FAILPOINT"]))


def _stand_still_at_points(file: Path) -> None:
    for point, (place, side) in POINTS.items():
        module, _, path = place.partition(":")
        owner: Any = import_module(module)
        *classes, name = path.split(".")
        for each in classes:
            owner = getattr(owner, each)
        setattr(owner, name, _stopping(getattr(owner, name), point, side, file))


def _stopping(call: Callable[..., Any], point: str, side: str, file: Path) -> Callable[..., Any]:
    def stop() -> None:
        with suppress(FileNotFoundError):  # none is set, or another thread was first
            if file.read_text() == point:
                file.unlink()
                stand_still()

    def stopping(*arguments: Any, **options: Any) -> Any:
        if side == BEFORE:
            stop()
        answer = call(*arguments, **options)
        if side == AFTER:
            stop()
        return answer

    return stopping
