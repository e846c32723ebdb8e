"""What the REST door says and takes: the words that all of it shares."""

from typing import Annotated, Literal

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

from hashworld.tasks.states import State

#: A number of a row.
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]


StateName = Literal["waiting", "inqueue", "running", "runtime_error", "succeed", "killed"]


Verb = Literal["kill", "retry", "delete"]


#: Text that any database takes: without NUL.
Word = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00]*$")]


Reason = Annotated[Word, Field(max_length=200, description="Why; it is written down.")]


class In(Schema):
    """What is taken; a member that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Why(In):
    """The reason of a verb."""

    reason: Reason = ""


class Changed(Schema):
    """Whether anything changed, or to how many."""

    changed: int


def state_name(state: int) -> StateName:
    """The name of a state at this door."""
    name: StateName = State(state).name.lower()  # type: ignore[assignment]  # a test compares
    return name


def state(name: str) -> State:
    """The state of this name."""
    return State[name.upper()]
