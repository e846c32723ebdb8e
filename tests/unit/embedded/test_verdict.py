"""The demo's judgement of itself."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from hashworld.embedded import verdict
from hashworld.embedded.pages import KINDS
from hashworld.fetcher.errors import ErrorKind
from hashworld.tasks.outcomes import Outcome

GOOD = Outcome(
    task=1,
    url="http://127.0.0.2:8000/page/1",
    state="succeed",
    status=200,
    error="",
    detail="",
    attempts=1,
    size=1,
    sha256="",
    title="Page 1 of 127.0.0.2",
    final_url="http://127.0.0.2:8000/page/1",
    content_type="text/html",
)
MISSING = replace(
    GOOD,
    url="http://127.0.0.2:8000/not-found/1",
    state="runtime error",
    status=404,
    error=ErrorKind.CLIENT_ERROR,
    title="Not found",
)
HEALED = replace(GOOD, url="http://127.0.0.2:8000/error-once/1", attempts=2)


@pytest.mark.parametrize("outcome", [GOOD, MISSING, HEALED])
def test_what_ends_as_it_has_to_is_right(outcome):
    (seen,) = [each for each in verdict.judge([outcome]) if each.count]
    assert (seen.count, seen.right, seen.surprises) == (1, 1, [])


@pytest.mark.parametrize(
    ("outcome", "change"),
    [
        (GOOD, {"state": "runtime error"}),
        (GOOD, {"state": "killed"}),
        (GOOD, {"status": 204}),
        (GOOD, {"title": "something else"}),
        (MISSING, {"state": "succeed", "error": ""}),
        (MISSING, {"status": 410}),
        (MISSING, {"error": ErrorKind.RESET}),
        (HEALED, {"attempts": 1}),
    ],
)
def test_every_other_end_is_a_surprise(outcome, change):
    (seen,) = [each for each in verdict.judge([replace(outcome, **change)]) if each.count]
    assert seen.right == 0
    assert len(seen.surprises) == 1
    assert outcome.url in verdict.describe(seen.surprises[0])


def test_healing_is_counted():
    verdicts = verdict.judge([GOOD, HEALED, replace(HEALED, attempts=3)])
    assert sum(each.healed for each in verdicts) == 2


def test_the_table_has_a_row_for_every_kind_in_80_columns():
    stream = io.StringIO()
    Console(file=stream, width=80).print(verdict.table(verdict.judge([GOOD])))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1 + len(KINDS)
    assert lines[1].split() == "page a page of 20 KB succeeds 1 1".split()
