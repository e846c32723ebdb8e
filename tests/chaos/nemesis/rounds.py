"""Lets the faults of a round take place side by side."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from threading import Event
from time import monotonic

from tests.chaos.nemesis.plan import Planned, Steps
from tests.chaos.nemesis.scene import Scene, Wait
from tests.chaos.stage import StageError

POLL = 0.05


@dataclass(slots=True)
class _Going:
    """A fault that goes on, what it waits for, and until when it may."""

    told: str
    steps: Steps
    wait: Wait
    deadline: float


def play(scene: Scene, planned: Sequence[Planned]) -> list[str]:
    """Let them strike and end; what went wrong, if anything did."""
    begun = [
        (
            f"{each.kind.name} on {each.node}",
            each.kind.strike(scene, each.node, Random(each.seed)),
        )
        for each in planned
    ]
    return run(begun, scene.fleet.tend)


def run(faults: Sequence[tuple[str, Steps]], tend: Callable[[], None]) -> list[str]:
    """Advance every fault whenever its wait has come true, until all have ended.

    One that waits in vain, or fails, is closed, so that it makes whole what it broke.
    """
    failures: list[str] = []
    going = [each for told, steps in faults if (each := _advance(told, steps, failures))]
    while going:
        tend()
        going = [left for each in going if (left := _look(each, failures))]
        Event().wait(POLL)
    return failures


def _look(fault: _Going, failures: list[str]) -> _Going | None:
    try:
        if fault.wait.condition():
            return _advance(fault.told, fault.steps, failures)
        if monotonic() < fault.deadline:
            return fault
        raise StageError(f"{fault.wait.what}: not in {fault.wait.patience:.0f} s")
    except Exception as error:
        _fail(fault.told, fault.steps, error, failures)
        return None


def _advance(told: str, steps: Steps, failures: list[str]) -> _Going | None:
    try:
        wait = next(steps)
    except StopIteration:
        return None
    except Exception as error:
        _fail(told, steps, error, failures)
        return None
    return _Going(told, steps, wait, monotonic() + wait.patience)


def _fail(told: str, steps: Steps, error: Exception, failures: list[str]) -> None:
    traceback.print_exception(error)
    failures.append(f"{told}: {error}")
    try:
        steps.close()
    except Exception as another:
        traceback.print_exception(another)
        failures.append(f"{told}, making it whole: {another}")
