"""Times and sizes in words."""

from datetime import UTC, datetime, timedelta

import pytest

from hashworld.console import wording

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.25, "250 ms"),
        (1.25, "1.2 s"),
        (59.6, "1 min"),
        (95, "1 min 35 s"),
        (7500, "2 h 5 min"),
        (86_400 * 3 + 59, "3 d"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(
    ("back", "words"),
    [(0.4, "just now"), (-0.4, "just now"), (5, "5 s ago"), (-90, "in 1 min"), (7300, "2 h ago")],
)
def test_moments_are_told_from_now(back: float, words: str) -> None:
    assert wording.relative(NOW - timedelta(seconds=back), NOW) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (123_456, "123 KB"), (5e18, "5000 PB")],
)
def test_sizes_are_decimal(count: float, words: str) -> None:
    assert wording.size(count) == words


@pytest.mark.parametrize(
    ("count", "words"), [(9_999, "9,999"), (12_340, "12.3K"), (4_560_000, "4.6M"), (2e9, "2.0G")]
)
def test_large_counts_are_short(count: float, words: str) -> None:
    assert wording.short(count) == words


@pytest.mark.parametrize(
    ("per_second", "words"), [(0, "0/s"), (0.05, "3.0/min"), (2.5, "2.5/s"), (1234, "1,234/s")]
)
def test_slow_rates_are_told_by_the_minute(per_second: float, words: str) -> None:
    assert wording.rate(per_second) == words
