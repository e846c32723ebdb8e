"""The retries of a message: ever longer, for a day."""

import pytest

from hashworld.webhooks import ladder
from hashworld.webhooks.ladder import DELAYS, Meaning


def test_the_last_retry_is_a_day_after_the_first_try() -> None:
    assert sum(DELAYS) == pytest.approx(24 * 3600, rel=0.01)


def test_each_delay_is_a_little_longer_than_it_says_and_then_there_is_none() -> None:
    for tries, seconds in enumerate(DELAYS, 1):
        assert seconds <= (ladder.delay(tries) or 0) <= seconds * 1.1
    assert ladder.delay(len(DELAYS) + 1) is None


@pytest.mark.parametrize(
    ("asked", "least"),
    [("120", 120), ("99999999", 3600), ("", 5), ("-1", 5), ("soon", 5), ("9" * 50, 5)],
)
def test_a_receiver_may_ask_for_more_time_but_not_for_ever(asked: str, least: int) -> None:
    found = ladder.delay(1, asked)
    assert found is not None
    assert least <= found <= max(least, 5.5)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (200, Meaning.TAKEN),
        (204, Meaning.TAKEN),
        (410, Meaning.GONE),
        (302, Meaning.AGAIN),
        (400, Meaning.AGAIN),
        (500, Meaning.AGAIN),
        (None, Meaning.AGAIN),
    ],
)
def test_what_an_answer_means(status: int | None, meaning: Meaning) -> None:
    assert ladder.meaning(status) is meaning
