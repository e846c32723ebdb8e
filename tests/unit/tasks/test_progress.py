"""How fast a job goes."""

from hashworld.tasks import progress
from hashworld.tasks.progress import Progress
from hashworld.tasks.states import State


def test_the_rate_is_that_of_the_last_seconds():
    rate = progress._Rate()
    assert rate.at(0, 0) == 0
    assert rate.at(1, 100) == 100
    assert rate.at(2, 300) == 150
    assert rate.at(5, 300) == 0


def test_what_is_at_its_end_is_done():
    counts = {state: 2 ** int(state) for state in State}
    seen = Progress(counts, seconds=1, rate=0, finished=False)
    assert seen.total == 63
    assert seen.done == 8 + 16 + 32
