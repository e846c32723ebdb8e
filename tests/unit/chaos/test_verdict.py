"""The judge of the chaos run: it must see every wrong that it is there to see."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from tests.chaos.trace import Change
from tests.chaos.verdict import (
    INQUEUE,
    KILLED,
    RUNNING,
    RUNTIME_ERROR,
    SUCCEED,
    WAITING,
    Fate,
    Found,
    Ledgers,
    Try,
    judge,
)

URL = "http://site/page/1"


def moved(*states: tuple[int, int | None]) -> list[Change]:
    """The changes of task 1 through these states, each with its lease."""
    path = [(None, None), *states]
    return [
        Change(1, old, new, old_lease, new_lease, datetime.now(UTC))
        for (old, old_lease), (new, new_lease) in pairwise(path)
    ]


GOOD = Ledgers(
    acknowledged={URL: Fate.SUCCEED},
    tasks=[Found(1, URL, SUCCEED, "", "hash")],
    tries=[Try(1, 1, 7, "")],
    changes=moved((WAITING, None), (INQUEUE, 7), (RUNNING, 7), (SUCCEED, 7)),
    gets={URL: 1},
    bodies={URL: "hash"},
)
RESCUED = replace(
    GOOD,
    tries=[Try(1, 1, 7, "lost"), Try(1, 2, 8, "")],
    changes=moved(
        *((WAITING, None), (INQUEUE, 7), (RUNNING, 7)),
        *((WAITING, None), (INQUEUE, 8), (RUNNING, 8), (SUCCEED, 8)),
    ),
    gets={URL: 2},
)


def wrongs(ledgers: Ledgers) -> dict[str, int]:
    """What the judge counted, without what is right and what is only told."""
    found = judge(ledgers).as_dict()
    return {k: v for k, v in found.items() if v and k not in ("ok", "notes")}


def test_a_task_that_went_its_way_is_ok() -> None:
    verdict = judge(GOOD)
    assert verdict.is_clean
    assert (verdict.ok, verdict.duplicated_executions) == (1, 0)


def test_a_page_fetched_twice_is_told_and_is_no_wrong() -> None:
    verdict = judge(RESCUED)
    assert verdict.is_clean
    assert (verdict.ok, verdict.duplicated_executions) == (1, 1)


@pytest.mark.parametrize("state", [WAITING, INQUEUE, RUNNING])
def test_a_task_that_is_not_at_its_end_is_lost(state: int) -> None:
    assert wrongs(replace(GOOD, tasks=[Found(1, URL, state, "", None)])) == {"lost": 1}


def test_a_url_without_a_task_is_lost() -> None:
    assert wrongs(replace(GOOD, tasks=[])) == {"lost": 1}


def test_a_success_that_keeps_another_page_is_lost() -> None:
    assert wrongs(replace(GOOD, bodies={URL: "another"})) == {"lost": 1}


def test_a_task_that_ended_otherwise_is_unexpected() -> None:
    given_up = [Found(1, URL, RUNTIME_ERROR, "connect", None)]
    assert wrongs(replace(GOOD, tasks=given_up)) == {"unexpected": 1}


def test_a_success_that_was_never_fetched_is_unexpected() -> None:
    assert wrongs(replace(GOOD, gets={})) == {"unexpected": 1}


def test_what_nobody_handed_in_is_unexpected() -> None:
    stranger = "http://site/page/2"
    assert wrongs(replace(GOOD, gets={URL: 1, stranger: 1})) == {"unexpected": 1}
    tasks = [*GOOD.tasks, Found(2, stranger, SUCCEED, "", "hash")]
    assert wrongs(replace(GOOD, tasks=tasks)) == {"unexpected": 1}


def test_a_second_task_for_one_url_is_unexpected() -> None:
    assert wrongs(replace(GOOD, tasks=[*GOOD.tasks, *GOOD.tasks])) == {"unexpected": 1}


def test_what_is_left_of_a_submission_that_was_made_again_must_be_at_its_end() -> None:
    left = Found(2, URL, KILLED, "killed", None, answered=False)
    assert wrongs(replace(GOOD, tasks=[*GOOD.tasks, left])) == {}
    waits = replace(left, state=WAITING)
    assert wrongs(replace(GOOD, tasks=[*GOOD.tasks, waits])) == {"unexpected": 1}
    assert wrongs(replace(GOOD, tasks=[left])) == {"lost": 1}


def test_a_task_leaves_its_end_as_often_as_a_person_asked_for_it_and_not_once_more() -> None:
    again = replace(
        GOOD,
        tries=[Try(1, 1, 7, "killed"), Try(1, 2, 8, "")],
        changes=moved(
            *((WAITING, None), (INQUEUE, 7), (RUNNING, 7), (KILLED, 7)),
            *((WAITING, None), (INQUEUE, 8), (RUNNING, 8), (SUCCEED, 8)),
        ),
    )
    assert wrongs(replace(again, retried={1: 1})) == {}
    assert wrongs(again) == {"illegal_moves": 1}


def test_two_rows_for_one_attempt_are_a_doubled_result() -> None:
    tries = [Try(1, 1, 7, "lost"), Try(1, 1, 8, "")]
    assert wrongs(replace(RESCUED, tries=tries))["duplicated_results"] == 1


def test_two_results_under_one_lease_are_a_doubled_result() -> None:
    tries = [Try(1, 1, 7, ""), Try(1, 2, 7, "reset")]
    assert wrongs(replace(GOOD, tries=tries))["duplicated_results"] == 1


def test_two_successes_are_a_doubled_result() -> None:
    tries = [Try(1, 1, 7, ""), Try(1, 2, 8, "")]
    assert wrongs(replace(RESCUED, tries=tries))["duplicated_results"] == 1


def test_a_result_of_a_lease_that_the_task_never_had_is_illegal() -> None:
    assert wrongs(replace(GOOD, tries=[Try(1, 1, 6, "")]))["illegal_moves"]


def test_a_zombies_result_that_was_let_through_is_illegal() -> None:
    zombie = [Try(1, 1, 7, "lost"), Try(1, 2, 7, "")]
    assert wrongs(replace(RESCUED, tries=zombie))["illegal_moves"]


@pytest.mark.parametrize(
    "states",
    [
        [(INQUEUE, 7)],
        [(WAITING, None), (RUNNING, 7)],
        [(WAITING, None), (INQUEUE, None)],
        [(WAITING, None), (INQUEUE, 7), (SUCCEED, 7)],
        [(WAITING, None), (INQUEUE, 7), (RUNNING, 8)],
        [(WAITING, None), (INQUEUE, 7), (WAITING, 7)],
        [(WAITING, None), (INQUEUE, 7), (INQUEUE, 8)],
        [(WAITING, None), (KILLED, None), (WAITING, None)],
    ],
)
def test_every_move_that_the_table_does_not_have_is_illegal(
    states: list[tuple[int, int | None]],
) -> None:
    assert set(wrongs(replace(GOOD, tries=[], changes=moved(*states)))) == {"illegal_moves"}


def test_a_change_that_left_no_trace_is_illegal() -> None:
    gap = [change for change in GOOD.changes if change.new != RUNNING]
    assert wrongs(replace(GOOD, changes=gap)) == {"illegal_moves": 1}


def test_poison_is_fetched_three_times_without_being_counted_as_doubled() -> None:
    ledgers = replace(
        GOOD,
        acknowledged={URL: Fate.POISON},
        tasks=[Found(1, URL, RUNTIME_ERROR, "poison", None)],
        tries=[],
        changes=[],
        gets={URL: 3},
    )
    assert wrongs(ledgers) == {}
