import dataclasses
from math import inf, nan

import pytest

from hashworld.fetcher.limits import FetchLimits, HostLimits

FIELDS = [
    (limits, field.name)
    for limits in (FetchLimits, HostLimits)
    for field in dataclasses.fields(limits)
]
MAY_BE_ZERO = {"min_rate", "max_encodings", "max_redirects", "min_interval"}


@pytest.mark.parametrize(("limits", "name"), FIELDS)
@pytest.mark.parametrize("value", [-1, nan, inf, "5", None, True])
def test_nonsense_is_refused_by_the_name_of_its_field(limits, name, value):
    with pytest.raises(ValueError, match=name):
        limits(**{name: value})


@pytest.mark.parametrize(("limits", "name"), FIELDS)
def test_zero_is_allowed_only_where_it_means_something(limits, name):
    if name in MAY_BE_ZERO:
        assert getattr(limits(**{name: 0}), name) == 0
    else:
        with pytest.raises(ValueError, match=name):
            limits(**{name: 0})


def test_a_count_is_a_whole_number():
    with pytest.raises(ValueError, match="max_connections must be a whole number"):
        HostLimits(max_connections=1.5)
