"""The Celery application of the nodes under test: HashWorld's own, but obedient to a page.

A page that says so (see `tests.chaos.site`) makes the process that fetched it die or freeze, after
the fetch and before its result is written: the moment at which the most can go wrong.
"""

import os
import signal
from typing import Any

from celery.signals import worker_init

from hashworld.celery import app
from tests.chaos.site import DIE, FREEZE, ORDER

__all__ = ["app"]

SIGNALS = {DIE: signal.SIGKILL, FREEZE: signal.SIGSTOP}


@worker_init.connect
def obey(**_: Any) -> None:
    """Let the runner obey what a page says."""
    # Models, which this imports, need Django's set-up; Celery has done it by now.
    from hashworld.tasks import runner

    finish = runner.finish

    def finish_and_obey(response: Any, *arguments: Any) -> Any:
        ended = finish(response, *arguments)
        said = {name.lower(): value for name, value in response.headers}.get(ORDER.lower(), "")
        if said in SIGNALS:
            os.kill(os.getpid(), SIGNALS[said])
        return ended

    runner.finish = finish_and_obey
