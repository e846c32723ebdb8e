"""The judge of nodes that are cut off: it must see one that goes on when its lease is over."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.nemesis.holds import Hold, LetGo, least_left, wrongs

EXPIRED = datetime(2026, 1, 1, tzinfo=UTC)
HOLD = Hold("cut_node_off", "n1", "http://site/hang/1", 7, EXPIRED - timedelta(seconds=15))


def let_go(late: float | None) -> LetGo:
    return LetGo(HOLD, EXPIRED, None if late is None else EXPIRED + timedelta(seconds=late))


@pytest.mark.parametrize(("late", "wrong"), [(-3.0, 0), (0.0, 0), (0.1, 1), (None, 1)])
def test_a_node_lets_go_before_its_lease_is_over(late: float | None, wrong: int) -> None:
    assert len(wrongs([let_go(late)])) == wrong


def test_how_close_it_was_is_told() -> None:
    assert least_left([let_go(-3.0), let_go(-1.0), let_go(None)]) == 1
    assert least_left([let_go(-3.0), let_go(2.0)]) == -2
    assert least_left([]) == 0
