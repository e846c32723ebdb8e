"""Whether the demo's pages ended as they had to. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.markup import escape
from rich.table import Table

from hashworld.embedded.pages import KINDS, Kind, kind_of
from hashworld.tasks.outcomes import Outcome
from hashworld.tasks.states import State

#: So many surprises of a kind are kept word for word.
SHOWN_SURPRISES = 3


@dataclass(slots=True)
class Verdict:
    """What became of the pages of one kind."""

    kind: Kind
    count: int = 0
    right: int = 0
    healed: int = 0
    surprises: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Judge one more page."""
        self.count += 1
        self.healed += outcome.attempts > 1 and outcome.state == State.SUCCEED.label
        if is_right(self.kind, outcome):
            self.right += 1
        elif len(self.surprises) < SHOWN_SURPRISES:
            self.surprises.append(outcome)


def judge(outcomes: Iterable[Outcome]) -> list[Verdict]:
    """A verdict on each kind of page."""
    verdicts = {name: Verdict(kind) for name, kind in KINDS.items()}
    for outcome in outcomes:
        verdicts[kind_of(outcome.url).name].add(outcome)
    return list(verdicts.values())


def is_right(kind: Kind, outcome: Outcome) -> bool:
    """Whether a page of this kind ended as it had to."""
    state = State.RUNTIME_ERROR if kind.error else State.SUCCEED
    return (
        outcome.state == state.label
        and outcome.error == (kind.error or "")
        and kind.status in (None, outcome.status)
        and (not kind.heals or outcome.attempts > 1)
        and outcome.title.startswith(kind.title)
    )


def table(verdicts: Iterable[Verdict]) -> Table:
    """The verdicts for people: kind, number, what had to come of it and for how many it did."""
    result = Table("page", "what it does", "expected", box=None, pad_edge=False)
    result.add_column("pages", justify="right")
    result.add_column("right", justify="right")
    for verdict in verdicts:
        kind = verdict.kind
        style = "" if verdict.right == verdict.count else "bold red"
        numbers = (f"{verdict.count:,}", f"{verdict.right:,}")
        result.add_row(kind.name, escape(kind.about), _expected(kind), *numbers, style=style)
    return result


def describe(surprise: Outcome) -> str:
    """One line on a page that ended otherwise."""
    facts = (surprise.state, surprise.status, surprise.error, surprise.detail, surprise.title)
    told = ", ".join(str(fact) for fact in facts if fact)
    return f"{surprise.url}: {told}, attempts {surprise.attempts}"


def _expected(kind: Kind) -> str:
    if kind.error:
        return kind.error
    return "heals" if kind.heals else "succeeds"
