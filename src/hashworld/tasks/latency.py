"""How long tries took: a histogram with fixed bounds, and what it tells. Pure.

A quantile is interpolated inside its bucket, as Prometheus's histogram_quantile does; beyond the
last bound nothing is known, and the last bound is the answer.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

#: Upper bounds of the buckets, in milliseconds; one more bucket takes what passes them all.
BOUNDS = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000)
#: The columns of Counts that hold the buckets.
COLUMNS = (*(f"ms_{bound}" for bound in BOUNDS), "ms_more")


def bucket(milliseconds: float) -> int:
    """The place in COLUMNS of a try that took so long; a bound belongs to the bucket below it."""
    return bisect_left(BOUNDS, milliseconds)


def quantile(buckets: Sequence[int], share: float) -> float | None:
    """The milliseconds that this share (0 to 1) of the tries did not pass; None without tries."""
    total = sum(buckets)
    if not total:
        return None
    rank = share * total
    upto = list(accumulate(buckets))
    place = next(i for i, passed in enumerate(upto) if passed >= rank and buckets[i])
    if place == len(BOUNDS):
        return float(BOUNDS[-1])
    lower = BOUNDS[place - 1] if place else 0
    within = (rank - (upto[place] - buckets[place])) / buckets[place]
    return lower + (BOUNDS[place] - lower) * within
