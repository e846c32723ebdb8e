"""The table of moves, and the page that shows it."""

import re
from pathlib import Path

import pytest

from hashworld.tasks.states import MOVES, OUT, TERMINAL, State, Verb

PAGE = (Path(__file__).parents[3] / "docs" / "states.md").read_text()

Arrow = tuple[str, str, str]


def drawn() -> list[Arrow]:
    """(from, to, verb) of each arrow of the diagram."""
    return re.findall(r"^    (\S+) --> (\S+): (.+)$", PAGE, re.MULTILINE)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first column has this heading."""
    table = PAGE.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")[2:]]


def names(states: frozenset[State]) -> set[str]:
    return {state.name for state in states}


def test_the_diagram_draws_every_move_once_and_no_other() -> None:
    moves = {
        (source, move.target.name, verb.value)
        for verb, move in MOVES.items()
        for source in (names(move.sources) or {"[*]"})
    }
    assert len(drawn()) == len(set(drawn()))
    assert set(drawn()) == moves


def test_the_table_tells_every_verb_with_its_guard_and_who_makes_it() -> None:
    told = {
        verb: (set(sources.split(", ")) - {"-"}, target, guard)
        for verb, sources, target, guard, _ in rows("verb")
    }
    assert told == {
        verb.value: (names(move.sources), move.target.name, guard(verb))
        for verb, move in MOVES.items()
    }
    assert all(who for *_, who in rows("verb"))


def guard(verb: Verb) -> str:
    if MOVES[verb].fenced:
        return "lease"
    return "state" if MOVES[verb].sources else "-"


def test_the_page_lists_the_states_with_their_numbers_and_ends() -> None:
    assert [(name, int(number)) for name, number, _ in rows("state")] == [
        (state.name, state.value) for state in State
    ]
    ends = {name for name, _, meaning in rows("state") if meaning.endswith("An end.")}
    assert ends == names(TERMINAL)


def test_every_verb_is_in_the_table() -> None:
    assert set(MOVES) == set(Verb)


def test_the_numbers_are_those_of_the_seed_contract() -> None:
    assert [(state.name, state.value) for state in State] == [
        ("WAITING", 0),
        ("INQUEUE", 1),
        ("RUNNING", 2),
        ("RUNTIME_ERROR", 3),
        ("SUCCEED", 4),
        ("KILLED", 5),
    ]


def test_only_an_operators_retry_leads_out_of_an_end() -> None:
    assert {verb for verb, move in MOVES.items() if move.sources & TERMINAL} == {Verb.RETRY}


def test_a_task_is_leased_from_waiting_alone() -> None:
    assert {verb for verb, move in MOVES.items() if move.target in OUT} == {Verb.LEASE, Verb.START}
    assert MOVES[Verb.LEASE].sources == {State.WAITING}


@pytest.mark.parametrize("verb", [verb for verb in Verb if MOVES[verb].sources <= OUT])
def test_what_happens_to_a_task_that_is_out_is_fenced(verb: Verb) -> None:
    assert MOVES[verb].fenced == bool(MOVES[verb].sources)
