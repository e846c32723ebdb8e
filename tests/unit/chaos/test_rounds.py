"""Faults of a round: one that waits in vain is told, and makes whole what it broke."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import cast

import pytest

from tests.chaos.nemesis.plan import Steps
from tests.chaos.nemesis.rounds import run
from tests.chaos.nemesis.scene import Scene, Wait
from tests.chaos.nemesis.servers import wanted
from tests.chaos.stage import StageError


class Cursor:
    """Says how many transactions wait for the locks of a connection."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting

    def execute(self, statement: str, arguments: list[int]) -> None:
        assert arguments == [7]

    def fetchone(self) -> tuple[int]:
        return (self.waiting,)


def scene_of(cursor: Cursor) -> Scene:
    """A scene whose database has this cursor, and nothing else."""

    @contextmanager
    def administer() -> Iterator[Cursor]:
        yield cursor

    mariadb = SimpleNamespace(administer=administer)
    return cast(Scene, SimpleNamespace(servers=SimpleNamespace(mariadb=mariadb)))


def test_a_fault_that_waits_in_vain_is_told_and_makes_whole_what_it_broke() -> None:
    mended = []

    def fault() -> Steps:
        try:
            yield Wait(lambda: False, "what never comes", 0.0)
        finally:
            mended.append(True)

    assert run([("a fault", fault())], lambda: None) == ["a fault: what never comes: not in 0 s"]
    assert mended


def test_a_fault_whose_wait_comes_true_is_not_told() -> None:
    def fault() -> Steps:
        yield Wait(lambda: True, "what is there", 0.0)

    assert run([("a fault", fault())], lambda: None) == []


def test_locked_rows_are_a_fault_only_if_somebody_waits_for_them() -> None:
    with pytest.raises(StageError, match="nobody wanted"):
        list(wanted(scene_of(Cursor(waiting=0)), 7))
    assert len(list(wanted(scene_of(Cursor(waiting=1)), 7))) == 1
