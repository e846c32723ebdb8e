import dataclasses
from math import inf, nan

import pytest

from hashworld.fetcher.limits import MOST, FetchLimits, HostLimits, LimitError

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


@pytest.mark.parametrize(("limits", "name"), FIELDS)
def test_each_limit_may_be_its_maximum_and_no_more(limits, name):
    assert getattr(limits(**{name: MOST[name]}), name) == MOST[name]
    for beyond in (MOST[name] + 1, 10**400):
        with pytest.raises(
            LimitError, match=f"^{name} must be at most {MOST[name]:.15g}, not"
        ) as e:
            limits(**{name: beyond})
        assert e.value.field == name
        assert len(str(e.value)) < 200


def test_headers_end_by_our_bound_before_they_end_by_libcurls():
    assert MOST["max_header_bytes"] < 300 * 1024
    assert MOST["max_header_lines"] < 5000
