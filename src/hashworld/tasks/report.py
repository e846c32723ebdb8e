"""The outcome of a job as a table for people."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hashworld.tasks.models import Job
from hashworld.tasks.outcomes import Ending, endings, failures
from hashworld.tasks.states import State

SHOWN_FAILURES = 10


def print_job(job: Job, console: Console) -> None:
    """Print how many tasks ended in which way, then the first failures with their reasons."""
    table = Table("outcome", "status", "error")
    table.add_column("tasks", justify="right")
    for ending in endings(job):
        table.add_row(*_cells(ending), style=_style(ending.state))
    console.print(table)
    failed = failures(job, SHOWN_FAILURES)
    for outcome in failed:
        reason = ": ".join(filter(None, (outcome.error, outcome.detail)))
        console.print(f"{escape(outcome.url)}\n  [red]{escape(reason)}[/]", highlight=False)
    if job.runtime_error > len(failed):
        console.print(f"and {job.runtime_error - len(failed):,} more failures")


def _cells(ending: Ending) -> tuple[str, str, str, str]:
    status = "" if ending.status is None else str(ending.status)
    return ending.state.label, status, ending.error, f"{ending.count:,}"


def _style(state: State) -> str:
    return {State.SUCCEED: "green", State.RUNTIME_ERROR: "red"}.get(state, "")
