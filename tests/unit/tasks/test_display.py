"""Progress as it is shown."""

import io

from hashworld.tasks import display
from hashworld.tasks.progress import Progress
from hashworld.tasks.states import State


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at(seconds: float, succeed: int, *, finished: bool = False) -> Progress:
    counts = dict.fromkeys(State, 0) | {State.SUCCEED: succeed, State.WAITING: 2000 - succeed}
    return Progress(counts, seconds, rate=500, finished=finished)


def test_without_a_terminal_a_line_comes_now_and_then_and_at_the_end():
    stream = io.StringIO()
    with display.on(stream) as shown:
        for step in (at(0, 0), at(0.5, 10), at(2, 900), at(2.5, 1000), at(3, 2000, finished=True)):
            shown.show(step)
    assert stream.getvalue().splitlines() == [
        "0 of 2,000 done, 500 pages/s, 0 s (2000 waiting)",
        "900 of 2,000 done, 500 pages/s, 2 s (1100 waiting, 900 succeed)",
        "2,000 of 2,000 done, 500 pages/s, 3 s (2000 succeed)",
    ]


def test_a_terminal_shows_a_bar_for_every_state():
    stream = Terminal()
    with display.on(stream) as shown:
        shown.show(at(1, 500))
    assert all(state.label in stream.getvalue() for state in State)
    assert "500 of 2,000 done" in stream.getvalue()
