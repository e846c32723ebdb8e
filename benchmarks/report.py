"""What the benchmarks print: progress, tables, and at the end one line of JSON."""

import json
from collections.abc import Mapping, Sequence
from time import monotonic

_began = monotonic()


def say(text: str) -> None:
    """A line of progress with the seconds since the start."""
    print(f"{monotonic() - _began:6.1f} s  {text}", flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns: the first to the left, the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    print()
    for line in lines:
        first, *others = (
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join((first, *others)).rstrip())
    print(flush=True)


def result(figures: Mapping[str, float]) -> None:
    """The last line: the figures as JSON."""
    print(json.dumps({name: float(f"{value:.4g}") for name, value in figures.items()}), flush=True)
