"""Shows progress to a person: bars on a terminal, a line now and then anywhere else."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hashworld.tasks.progress import Progress
from hashworld.tasks.states import State

#: Seconds between two lines where there is no terminal.
LINE_INTERVAL = 2.0
_STYLES = {
    State.SUCCEED: "green",
    State.RUNTIME_ERROR: "red",
    State.KILLED: "magenta",
    State.RUNNING: "cyan",
    State.INQUEUE: "blue",
    State.WAITING: "yellow",
}


class Display(Protocol):
    """Something that progress can be shown on."""

    def show(self, progress: Progress) -> None:
        """Show how far it is now."""


def on(stream: TextIO) -> AbstractContextManager[Display]:
    """The display that suits a stream, while the context lasts."""
    console = Console(file=stream)
    return _bars(console) if console.is_terminal else _lines(stream)


class Lines:
    """A line at the first look, then every LINE_INTERVAL seconds, and one when it is finished."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next = 0.0

    def show(self, progress: Progress) -> None:
        """Write a line if it is time for one."""
        if progress.seconds >= self._next or progress.finished:
            self._next = progress.seconds + LINE_INTERVAL
            states = ", ".join(f"{n} {state.label}" for state, n in progress.counts.items() if n)
            self._stream.write(f"{headline(progress)} ({states})\n")
            self._stream.flush()


class Bars:
    """A bar for every state, redrawn in place."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, progress: Progress) -> None:
        """Redraw."""
        grid = Table.grid(padding=(0, 1))
        for state, style in _STYLES.items():
            count = progress.counts[state]
            bar = ProgressBar(progress.total or 1, count, width=40, complete_style=style)
            grid.add_row(state.label, bar, Text(f"{count:,}", justify="right"))
        self._live.update(Group(grid, Text(headline(progress), style="bold")))


def headline(progress: Progress) -> str:
    """How much is done, how fast and since when."""
    return (
        f"{progress.done:,} of {progress.total:,} done, {progress.rate:,.0f} pages/s,"
        f" {progress.seconds:.0f} s"
    )


@contextmanager
def _lines(stream: TextIO) -> Iterator[Display]:
    yield Lines(stream)


@contextmanager
def _bars(console: Console) -> Iterator[Display]:
    with Live(console=console, refresh_per_second=8) as live:
        yield Bars(live)
