"""A task's states and the moves between them: one table, and nothing else to know.

Drawn in docs/states.md, which a test holds against this table. The moves are made by
`hashworld.tasks.moves` alone (contract C2).
"""

from dataclasses import dataclass
from enum import StrEnum

from django.db.models import IntegerChoices


class State(IntegerChoices):
    """Where a task is; the numbers are those of communicate.proto."""

    WAITING = 0, "waiting"  # in the database, due now or later
    INQUEUE = 1, "in queue"  # under a lease that its node has not started
    RUNNING = 2, "running"  # being fetched under a started lease
    RUNTIME_ERROR = 3, "runtime error"  # given up; the last attempt tells why
    SUCCEED = 4, "succeed"  # fetched; its content is kept
    KILLED = 5, "killed"  # ended by a person, or with its submission


TERMINAL = frozenset({State.RUNTIME_ERROR, State.SUCCEED, State.KILLED})
#: The states of a task that is out: under a lease, with a node.
OUT = frozenset({State.INQUEUE, State.RUNNING})


class Verb(StrEnum):
    """What can happen to a task."""

    SUBMIT = "submit"
    LEASE = "lease"
    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    RETRY_LATER = "retry later"
    RESCUE = "rescue"
    POISON = "poison"
    RELEASE = "release"
    KILL = "kill"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Move:
    """From any of `sources` to `target`; `fenced` ones only under the task's own lease."""

    sources: frozenset[State]
    target: State
    fenced: bool


def _move(sources: set[State], target: State, *, fenced: bool = False) -> Move:
    return Move(frozenset(sources), target, fenced)


MOVES: dict[Verb, Move] = {
    Verb.SUBMIT: _move(set(), State.WAITING),
    Verb.LEASE: _move({State.WAITING}, State.INQUEUE),
    Verb.START: _move({State.INQUEUE}, State.RUNNING, fenced=True),
    Verb.SUCCEED: _move({State.RUNNING}, State.SUCCEED, fenced=True),
    Verb.FAIL: _move({State.RUNNING}, State.RUNTIME_ERROR, fenced=True),
    Verb.RETRY_LATER: _move({State.RUNNING}, State.WAITING, fenced=True),
    Verb.RESCUE: _move({State.INQUEUE, State.RUNNING}, State.WAITING, fenced=True),
    Verb.POISON: _move({State.RUNNING}, State.RUNTIME_ERROR, fenced=True),
    Verb.RELEASE: _move({State.INQUEUE, State.RUNNING}, State.WAITING, fenced=True),
    Verb.KILL: _move({State.WAITING, State.INQUEUE, State.RUNNING}, State.KILLED),
    Verb.RETRY: _move({State.RUNTIME_ERROR, State.KILLED, State.SUCCEED}, State.WAITING),
}
