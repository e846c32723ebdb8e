"""Every option that cannot be used is told by its name (contract C10)."""

from typing import Any

import pytest

from hashworld.fetcher.limits import FetchLimits
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import Job, Priority
from hashworld.tasks.spec import MAX_REQUEST_BODY, JobSpec, fetch_limits


def test_the_defaults_are_fine() -> None:
    JobSpec().check()


@pytest.mark.parametrize(
    "options",
    [
        {"name": "n" * 200},
        {"method": "POST", "body": b"x" * MAX_REQUEST_BODY},
        {"method": "HEAD"},
        {"headers": {"Accept": "text/html", "X-Api-Key": "k"}},
        {"limits": {"total_timeout": 5, "max_body": 1024}},
        {"priority": Priority.HIGH},
        {"duplicates": "one"},
        {"max_attempts": 1},
        {"max_attempts": 20},
        {"retry_base": 0, "retry_cap": 86_400},
        {"keep_days": 0},
        {"keep_days": 36_500},
        {"idempotency_key": "k" * 200},
    ],
)
def test_what_is_within_the_bounds_is_taken(options: dict[str, Any]) -> None:
    JobSpec(**options).check()


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("name", {"name": "n" * 201}),
        ("name", {"name": "half a pair \ud83d"}),
        ("name", {"name": "nul \0"}),
        ("method", {"method": "get"}),
        ("method", {"method": "DELETE"}),
        ("body", {"body": b"x"}),
        ("body", {"method": "POST", "body": b"x" * (MAX_REQUEST_BODY + 1)}),
        ("priority", {"priority": 3}),
        ("priority", {"priority": -1}),
        ("duplicates", {"duplicates": "all"}),
        ("max_attempts", {"max_attempts": 0}),
        ("max_attempts", {"max_attempts": 21}),
        ("retry_base", {"retry_base": -1}),
        ("retry_base", {"retry_base": float("nan")}),
        ("retry_cap", {"retry_cap": 86_401}),
        ("retry_cap", {"retry_cap": float("inf")}),
        ("keep_days", {"keep_days": -1}),
        ("keep_days", {"keep_days": 36_501}),
        ("idempotency_key", {"idempotency_key": ""}),
        ("idempotency_key", {"idempotency_key": "k" * 201}),
        ("headers", {"headers": {f"X-{i}": "v" for i in range(51)}}),
        ("headers", {"headers": {"X-One": "v\r\nX-Two: w"}}),
        ("headers", {"headers": {"Host": "other.example"}}),
        ("headers", {"headers": {"bad name": "v"}}),
        ("headers", {"headers": {"X": 5}}),
        ("headers", {"headers": {"X": "v" * 8193}}),
        ("limits.speed", {"limits": {"speed": 5}}),
        ("limits.total_timeout", {"limits": {"total_timeout": "5"}}),
        ("limits.total_timeout", {"limits": {"total_timeout": True}}),
        ("limits.total_timeout", {"limits": {"total_timeout": -5}}),
        ("limits.max_body", {"limits": {"max_body": 1.5}}),
        ("limits.total_timeout", {"limits": {"total_timeout": float("nan")}}),
        ("limits.total_timeout", {"limits": {"total_timeout": 1e6}}),
        ("limits.max_body", {"limits": {"max_body": 10**11}}),
    ],
)
def test_what_cannot_be_used_is_told_by_its_name(field: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        JobSpec(**options).check()
    assert caught.value.field == field
    assert caught.value.reason
    assert str(caught.value) == f"{field}: {caught.value.reason}"


def test_an_unknown_limit_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"total_timeout.*max_redirects"):
        fetch_limits({"speed": 5})


def test_a_limit_beyond_its_maximum_is_answered_with_that() -> None:
    with pytest.raises(InvalidInput, match="max_body: must be at most 536870912, not 1"):
        fetch_limits({"max_body": 10**11})


def test_a_limit_that_is_not_changed_is_the_engines() -> None:
    limits = fetch_limits({"total_timeout": 5})
    assert limits.total_timeout == 5
    assert limits.max_body == FetchLimits().max_body


def test_the_options_are_the_jobs_columns() -> None:
    spec = JobSpec(name="n", method="POST", body=b"b", headers={"A": "b"}, priority=0)
    job = Job(**spec.columns())
    for name in JobSpec.__dataclass_fields__.keys() - {"idempotency_key", "tags"}:
        assert getattr(job, name) == getattr(spec, name), name
