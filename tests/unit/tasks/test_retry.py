"""What becomes of a try, and when the next one may be."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashworld.fetcher.errors import ErrorKind
from hashworld.tasks.retry import RETRY_AFTER_CAP, RetryPolicy, decide, retry_after
from hashworld.tasks.states import Verb

POLICY = RetryPolicy(max_attempts=5, base=2.0, cap=10.0)
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
PASSING = [kind for kind in ErrorKind if kind.retryable]
LASTING = [kind for kind in ErrorKind if not kind.retryable]


def pause(failures: int, dice: float = 1.0, wish: float | None = None) -> float:
    verb, delay = decide(ErrorKind.CONNECT, failures, POLICY, wish, lambda: dice)
    assert verb is Verb.RETRY_LATER
    return delay


def test_without_an_error_it_succeeded() -> None:
    assert decide(None, 3, POLICY, 99.0, lambda: 1.0) == (Verb.SUCCEED, 0.0)


@pytest.mark.parametrize("kind", LASTING)
def test_an_error_that_will_not_pass_is_not_tried_again(kind: ErrorKind) -> None:
    assert decide(kind, 0, POLICY, None, lambda: 1.0) == (Verb.FAIL, 0.0)


@pytest.mark.parametrize("kind", PASSING)
def test_an_error_that_may_pass_is_tried_again(kind: ErrorKind) -> None:
    assert decide(kind, 0, POLICY, None, lambda: 1.0)[0] is Verb.RETRY_LATER


def test_the_last_try_is_the_last() -> None:
    assert decide(ErrorKind.CONNECT, 3, POLICY, None, lambda: 1.0)[0] is Verb.RETRY_LATER
    assert decide(ErrorKind.CONNECT, 4, POLICY, None, lambda: 1.0) == (Verb.FAIL, 0.0)
    once = RetryPolicy(1, 2.0, 10.0)
    assert decide(ErrorKind.CONNECT, 0, once, None, lambda: 1.0) == (Verb.FAIL, 0.0)


def test_the_longest_pause_doubles_up_to_the_cap() -> None:
    assert [pause(failures) for failures in range(4)] == [2.0, 4.0, 8.0, 10.0]


def test_the_dice_choose_from_the_whole_range() -> None:
    assert [pause(1, dice) for dice in (0.0, 0.25, 1.0)] == [0.0, 1.0, 4.0]


def test_many_failures_are_no_overflow() -> None:
    patient = RetryPolicy(65_000, 2.0, 300.0)
    assert decide(ErrorKind.DNS, 60_000, patient, None, lambda: 1.0) == (Verb.RETRY_LATER, 300.0)


def test_a_servers_wish_makes_the_pause_longer_and_never_shorter() -> None:
    assert pause(0, wish=60.0) == 60.0
    assert pause(2, wish=1.0) == 8.0


def test_a_server_cannot_put_a_task_off_for_ever() -> None:
    assert pause(0, wish=1e9) == RETRY_AFTER_CAP


@pytest.mark.parametrize(
    ("value", "seconds"), [("0", 0.0), ("120", 120.0), (" 7 ", 7.0), ("9" * 400, 999_999_999.0)]
)
def test_seconds_are_understood(value: str, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Saturday, 21-Nov-26 12:01:00 GMT", 60.0),  # RFC 850
        ("Sat Nov 21 12:01:00 2026", 60.0),  # asctime
    ],
)
def test_dates_are_understood(value: str, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "soon",
        "-5",
        "1.5",
        "٣",
        "Sat, 21 Nov 99999 12:00:00 GMT",
        "Sat, 21 Nov 2026 12:00:00 +99999999999999999999",
    ],
)
def test_nonsense_is_no_wish(value: str | None) -> None:
    assert retry_after(value, NOW) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [+-]\d+"))
def test_no_header_breaks_anything(value: str) -> None:
    wish = retry_after(value, NOW)
    assert wish is None or wish >= 0
