"""The Celery application of the nodes under test: HashWorld's own, but obedient to a page.

A page that says so (see `tests.chaos.site`) makes the process that fetched it die or freeze: after
the fetch and before its result is written, or amid the transaction that writes it.
"""

import os
import signal
from importlib import import_module
from typing import Any

from celery.signals import worker_init

from hashworld.celery import app
from tests.chaos.site import DIE, FREEZE, FREEZE_WRITING, ORDER

__all__ = ["app"]

SIGNALS = {DIE: signal.SIGKILL, FREEZE: signal.SIGSTOP}


@worker_init.connect
def obey(**_: Any) -> None:
    """Let the runner and the writer obey what a page says."""
    # They import models, which need Django's set-up; Celery has done it by now.
    runner: Any = import_module("hashworld.tasks.runner")
    moves: Any = import_module("hashworld.tasks.moves")
    finish, write = runner.finish, moves.finish
    blocked = False

    def finish_and_obey(response: Any, *arguments: Any) -> Any:
        nonlocal blocked
        ended = finish(response, *arguments)
        said = {name.lower(): value for name, value in response.headers}.get(ORDER.lower(), "")
        if said in SIGNALS:
            os.kill(os.getpid(), SIGNALS[said])
        blocked = said == FREEZE_WRITING
        return ended

    def write_and_obey(*arguments: Any) -> Any:
        nonlocal blocked
        written = write(*arguments)
        if blocked:
            blocked = False
            os.kill(os.getpid(), signal.SIGSTOP)
        return written

    runner.finish = finish_and_obey
    moves.finish = write_and_obey
