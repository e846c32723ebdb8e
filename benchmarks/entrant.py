"""What every measured program does: get ready, wait for the word, run, say what it took."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from time import monotonic, process_time

#: Standard output as it was; whatever else is printed goes to the log.
_answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def ready() -> bool:
    """Say so once, and wait for the word; False when it will not come."""
    print("ready", file=_answers, flush=True)
    return told()


def told() -> bool:
    """Wait for the word; False when it will not come."""
    return bool(sys.stdin.readline())


def tell(figures: Mapping[str, float]) -> None:
    """Answer with figures."""
    print(json.dumps(figures), file=_answers, flush=True)


def measured(work: Callable[[], Mapping[str, float] | None]) -> dict[str, float]:
    """Do the work; when it began and ended (monotonic), its CPU seconds, and what it answers."""
    cpu, began = process_time(), monotonic()
    more = work() or {}
    ended = monotonic()
    return {"began": began, "ended": ended, "cpu": process_time() - cpu, **more}
