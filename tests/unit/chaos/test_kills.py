"""The judge of kills: it must see every one that a node heard and did not obey in time."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.nemesis.kills import Order, hearable, slowest, wrongs
from tests.chaos.nemesis.rescue import Silence

ASKED = datetime(2026, 1, 1, tzinfo=UTC)
GRACE = timedelta(seconds=5)


def after(seconds: float) -> datetime:
    return ASKED + timedelta(seconds=seconds)


def order(confirmed: float | None) -> Order:
    return Order(1, "first", ASKED, None if confirmed is None else after(confirmed))


@pytest.mark.parametrize(("confirmed", "wrong"), [(0.4, 0), (2.0, 0), (2.1, 1), (None, 1)])
def test_a_kill_is_confirmed_within_two_seconds(confirmed: float | None, wrong: int) -> None:
    assert len(wrongs(hearable([order(confirmed)], [], GRACE))) == wrong


def test_the_slowest_kill_is_told() -> None:
    assert slowest([order(0.4), order(1.5), order(None)]) == 1.5
    assert slowest([]) == 0


@pytest.mark.parametrize(
    ("began", "ended", "heard"),
    [
        (-30.0, None, False),
        (-30.0, -4.0, False),
        (-30.0, -6.0, True),
        (1.0, None, False),
        (3.0, None, True),
    ],
)
def test_a_node_that_was_struck_meanwhile_is_excused(
    began: float, ended: float | None, heard: bool
) -> None:
    silence = Silence("cut", "n1", "first", after(began), ended=after(ended) if ended else None)
    assert bool(hearable([order(10.0)], [silence], GRACE)) == heard


def test_a_strike_against_another_incarnation_excuses_nobody() -> None:
    silence = Silence("cut", "n1", "second", after(-30))
    assert hearable([order(10.0)], [silence], GRACE)


def test_a_node_that_is_struck_long_after_the_kill_was_due_is_not_excused() -> None:
    silence = Silence("kill", "n1", "first", after(5))
    assert hearable([order(None)], [silence], GRACE)
