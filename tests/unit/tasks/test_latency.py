"""The histogram's buckets, and the quantiles read from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashworld.tasks import latency
from hashworld.tasks.latency import BOUNDS, COLUMNS, bucket, quantile
from hashworld.tasks.models import Counts


def test_the_columns_are_the_models() -> None:
    columns = [field.name for field in Counts._meta.get_fields()]
    assert columns[-len(COLUMNS) :] == list(COLUMNS)


@pytest.mark.parametrize(
    ("milliseconds", "column"),
    [(0, "ms_10"), (10, "ms_10"), (10.1, "ms_25"), (30_000, "ms_30000"), (30_001, "ms_more")],
)
def test_a_bound_belongs_to_the_bucket_below_it(milliseconds: float, column: str) -> None:
    assert COLUMNS[bucket(milliseconds)] == column


def histogram(**counted: int) -> list[int]:
    return [counted.get(column, 0) for column in COLUMNS]


def test_without_tries_nothing_is_known() -> None:
    assert quantile(histogram(), 0.5) is None


def test_a_quantile_is_interpolated_inside_its_bucket() -> None:
    assert quantile(histogram(ms_100=10), 0.5) == 75
    assert quantile(histogram(ms_100=50, ms_250=50), 0.5) == 100
    assert quantile(histogram(ms_100=50, ms_250=50), 0.95) == 235


def test_beyond_the_last_bound_the_last_bound_is_the_answer() -> None:
    assert quantile(histogram(ms_more=3), 0.95) == 30_000


@given(st.lists(st.floats(0, 30_000), min_size=1), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_try_it_stands_for(
    times: list[float], share: float
) -> None:
    buckets = [0] * len(COLUMNS)
    for time in times:
        buckets[bucket(time)] += 1
    rank = max(1, -int(-share * len(times) // 1))
    true = sorted(times)[rank - 1]
    place = bucket(true)
    told = quantile(buckets, share)
    assert told is not None
    assert (BOUNDS[place - 1] if place else 0) <= told <= BOUNDS[place]
    assert latency.bucket(told) in (place, place - 1)
