"""Two schedulers, one of which is killed or freezes: the other goes on, and no slot fires twice.

The witness is the queue itself: every message says which slot it is of, and under which term.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from time import monotonic
from typing import NamedTuple

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from hashworld.celery import CONTROL_QUEUE, EXCHANGE, app, control_queue
from hashworld.nodes import clock, leadership
from hashworld.nodes.models import Leadership
from hashworld.recurring import changes
from hashworld.recurring.models import Firing, FiringState
from hashworld.recurring.template import Template, Timing
from hashworld.tasks.models import Job
from tests.chaos.nodes import Program
from tests.chaos.stage import Stage
from tests.system.conftest import LEASE

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]

FIRST, SECOND = "scheduler-1", "scheduler-2"
NAME = "every second"
#: With a lease of 15 s a new master stands and fires within 20 s; here in proportion, and a
#: second for each of a busy machine's delays.
FAILOVER = LEASE * 20 / 15 + 2


class Message(NamedTuple):
    """A firing of the periodic task, as it lay in the queue."""

    slot: str
    term: int


class Witness:
    """Takes every message out of the control queue and remembers what it says of its slot."""

    def __init__(self) -> None:
        self.seen: list[Message] = []

    def look(self) -> list[Message]:
        with app.connection_for_read() as connection:
            queue = control_queue()(connection.default_channel)
            queue.declare()
            while message := queue.get(no_ack=True):
                if message.headers.get("periodic_task_name") == NAME:
                    said = message.headers
                    self.seen.append(Message(said["slot"], said["term"]))
        return self.seen

    def of_term(self, term: int) -> list[str]:
        return [message.slot for message in self.look() if message.term == term]

    def assert_no_slot_fired_twice(self) -> None:
        assert self.look()
        assert {
            slot for slot, n in Counter(slot for slot, _ in self.seen).items() if n > 1
        } == set()


@pytest.fixture
def witness(stage: Stage) -> Iterator[Witness]:
    """Watches a periodic task that fires every second."""
    second = IntervalSchedule.objects.create(every=1, period="seconds")
    routing = {"queue": CONTROL_QUEUE, "exchange": EXCHANGE.name, "routing_key": CONTROL_QUEUE}
    PeriodicTask.objects.create(name=NAME, task="tests.nothing", interval=second, **routing)
    witness = Witness()
    witness.look()
    witness.seen.clear()
    yield witness
    witness.look()


def start(stage: Stage, *names: str) -> None:
    """Start schedulers, and wait until they compete: to start takes longer than to take over."""
    stage.start(*names)
    for name in names:
        stage.fleet[name].wait_for_line("scheduler ready")


def leader(stage: Stage) -> tuple[str, int]:
    """The name of the scheduler that leads, once there is one, and its term."""
    stage.wait(lambda: leadership.master(clock.now()), "a master")
    row = Leadership.objects.get()
    return row.holder.partition("/")[0], row.term


def wait_for_firings(stage: Stage, witness: Witness, term: int, count: int = 2) -> None:
    stage.wait(lambda: len(witness.of_term(term)) >= count, f"{count} firings of term {term}")


def overtaken(stage: Stage, witness: Witness, term: int) -> float:
    """Seconds until somebody fired under a later term."""
    began = monotonic()
    stage.wait(lambda: any(m.term > term for m in witness.look()), "a firing by a new master")
    return monotonic() - began


def test_when_the_master_is_killed_the_other_fires_in_time_and_no_slot_twice(
    stage: Stage, witness: Witness
) -> None:
    start(stage, FIRST, SECOND)
    for _ in range(2):
        name, term = leader(stage)
        wait_for_firings(stage, witness, term)
        stage.fleet.retire(name)
        assert overtaken(stage, witness, term) < FAILOVER
        start(stage, name)
    witness.assert_no_slot_fired_twice()


def test_a_master_that_freezes_and_wakes_fires_nothing_that_another_has(
    stage: Stage, witness: Witness
) -> None:
    start(stage, FIRST, SECOND)
    for _ in range(2):
        _freeze_and_wake(stage, witness)
    witness.assert_no_slot_fired_twice()


def _freeze_and_wake(stage: Stage, witness: Witness) -> None:
    name, term = leader(stage)
    wait_for_firings(stage, witness, term)
    zombie = stage.fleet[name]
    stage.freeze(zombie)
    assert overtaken(stage, witness, term) < FAILOVER
    _, later = leader(stage)
    before = len(witness.of_term(term))
    zombie.thaw()
    stage.wait(lambda: _knows(zombie, term), "the awakening of the old master")
    wait_for_firings(stage, witness, later, count=4)
    # What it had decided before it froze it may still publish; nothing that came since.
    assert len(witness.of_term(term)) <= before + 1
    assert max(witness.of_term(term)) < min(m.slot for m in witness.seen if m.term > term)


def _knows(zombie: Program, term: int) -> bool:
    said = zombie.said()
    return "leadership lost" in said or f"term {term} leads no more" in said


def test_a_scheduler_that_is_asked_to_stop_makes_way_at_once(
    stage: Stage, witness: Witness
) -> None:
    start(stage, FIRST, SECOND)
    name, term = leader(stage)
    wait_for_firings(stage, witness, term)
    assert stage.fleet.drain(name) == 0
    assert overtaken(stage, witness, term) < LEASE
    witness.assert_no_slot_fired_twice()


def test_a_recurring_job_is_submitted_once_for_each_slot_whoever_leads(stage: Stage) -> None:
    stage.start("one")
    start(stage, FIRST, SECOND)
    urls = "\n".join(stage.site.url(f"/page/again/{n}", n) for n in range(3))
    # The shortest interval that people may choose.
    timing = Timing(every=10, period="seconds")
    recurring = changes.create(Template("Again", urls, overlap="queue"), timing)
    fired = Firing.objects.filter(recurring=recurring, state=FiringState.SUBMITTED)
    stage.wait(fired.exists, "the first job")
    name, _ = leader(stage)
    stage.fleet.retire(name)
    stage.wait(lambda: fired.count() >= 3, "jobs after the master was killed")
    changes.pause(recurring.pk, "enough")
    slots = list(recurring.firings.order_by("slot").values_list("slot", flat=True))
    gaps = {(later - slot).total_seconds() for slot, later in pairwise(slots)}
    assert gaps == {10.0}, "no slot is missing, none is there twice"
    stage.wait(lambda: not Job.objects.running().exists(), "the end of all jobs")
    jobs = list(fired.values_list("job_id", flat=True))
    assert sorted(jobs) == sorted(Job.objects.values_list("pk", flat=True))
    assert all(job.succeed == 3 for job in Job.objects.all())
