"""Any order of moves, leases, losses and kills, against a model of a few lines.

Hypothesis chooses the order; the model says in which state each task must be afterwards, and the
books must balance after every step.
"""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hashworld.nodes.models import Land
from hashworld.tasks import moves
from hashworld.tasks.attempts import Ended
from hashworld.tasks.models import Host, Lease, Task
from hashworld.tasks.reaper import reap
from hashworld.tasks.states import TERMINAL, State, Verb
from tests.integration.database import empty
from tests.integration.tasks import world

ENDS = {
    Verb.SUCCEED: State.SUCCEED,
    Verb.FAIL: State.RUNTIME_ERROR,
    Verb.RETRY_LATER: State.WAITING,
}
#: Hypothesis picks by number, so that a list may change between two steps.
picks = st.integers(min_value=0, max_value=1000)


@dataclass
class Modelled:
    """What the model knows of a task."""

    state: State = State.WAITING
    lease: int = 0
    losses: int = 0


@dataclass
class Model:
    """Every task and every open lease, in plain Python."""

    tasks: dict[int, Modelled] = field(default_factory=dict)
    leases: dict[int, str] = field(default_factory=dict)  # open ones: who may start them
    tries: list[Ended] = field(default_factory=list)  # all that ever began, as they may end

    def under(self, lease: int) -> list[Modelled]:
        return [
            task
            for task in self.tasks.values()
            if task.lease == lease and task.state in (State.INQUEUE, State.RUNNING)
        ]

    def close_empty(self) -> None:
        self.leases = {lease: by for lease, by in self.leases.items() if self.under(lease)}


class Life(RuleBasedStateMachine):
    """Two nodes, a few hosts with small bounds, and everything that may happen to tasks."""

    @initialize()
    def begin(self) -> None:
        empty()
        self.model = Model()
        self.nodes = [world.node("one", max_tasks=2), world.node("two", max_tasks=2)]
        self.submit(["a", "a", "b", "c"], 2)
        self.work()

    @rule(hosts=st.lists(st.sampled_from("abc"), min_size=1, max_size=4), bound=st.integers(1, 3))
    def submit(self, hosts: list[str], bound: int) -> None:
        job = world.hand_in(*(f"http://{host}.example/" for host in hosts))
        # A bound never falls below what is out, as it would not while an operator changes it.
        for host in Host.objects.filter(out__lt=bound):
            host.max_connections, host.min_interval = bound, 0
            Host.objects.filter(pk=host.pk).update(ahead=bound)
        world.let_come_due()
        self.model.tasks |= {task.pk: Modelled() for task in world.tasks(job)}

    @rule()
    def work(self) -> None:
        """What the nodes do all day."""
        for which in range(2):
            self.dispatch(which)
        for lease in list(self.model.leases):
            if Lease.objects.get(pk=lease).started_at is None:
                self._start(lease)

    @rule(which=picks)
    def dispatch(self, which: int) -> None:
        node = self.nodes[which % 2]
        for lease in world.give(node):
            # What a node leaves to one with nothing to do goes there in the same dispatch.
            assert lease.node_id in {each.pk for each in self.nodes}
            self.model.leases[lease.pk] = lease.incarnation
            for task_id in Task.objects.filter(lease=lease).values_list("pk", flat=True):
                task = self.model.tasks[task_id]
                assert task.state == State.WAITING
                assert task.losses < moves.MAX_LOSSES
                task.state, task.lease = State.INQUEUE, lease.pk

    @precondition(lambda self: self.model.leases)
    @rule(which=picks, right=st.booleans())
    def start(self, which: int, right: bool) -> None:
        lease = self._lease(which)
        if right:
            self._start(lease)
        else:
            assert moves.start(lease, "another") == []

    @precondition(lambda self: self._in(State.RUNNING))
    @rule(which=picks, verb=st.sampled_from(list(ENDS)))
    def finish(self, which: int, verb: Verb) -> None:
        task_id = self._pick(which, State.RUNNING)
        self._tell(world.end(Task.objects.get(pk=task_id), verb))

    @precondition(lambda self: self.model.tries)
    @rule(which=picks, verb=st.sampled_from(list(ENDS)))
    def finish_some_try_of_any_time(self, which: int, verb: Verb) -> None:
        self._tell(replace(self.model.tries[which % len(self.model.tries)], verb=verb))

    @precondition(lambda self: self.model.leases)
    @rule(which=picks)
    def lose(self, which: int) -> None:
        lease = self._lease(which)
        world.expire(Lease.objects.get(pk=lease))
        held = self.model.under(lease)
        assert reap().tasks == len(held)
        for task in held:
            task.losses += task.state == State.RUNNING
            poison = task.losses == moves.MAX_LOSSES
            task.state = State.RUNTIME_ERROR if poison else State.WAITING
        self.model.close_empty()

    @precondition(lambda self: self.model.leases)
    @rule(which=picks)
    def freeze_and_come_back(self, which: int) -> None:
        lease = self._lease(which)
        self.lose(which)
        self.work()
        for ended in [ended for ended in self.model.tries if ended.lease_id == lease]:
            self._tell(ended)

    @precondition(lambda self: self.model.leases)
    @rule(which=picks)
    def release(self, which: int) -> None:
        lease = self._lease(which)
        held = self.model.under(lease)
        assert moves.release([lease]) == len(held)
        for task in held:
            task.state = State.WAITING
        self.model.close_empty()

    @precondition(lambda self: self.model.tasks)
    @rule(which=picks)
    def kill(self, which: int) -> None:
        task_id = self._pick(which, *State)
        task = self.model.tasks[task_id]
        assert moves.kill([task_id]) == (task.state not in TERMINAL)
        if task.state not in TERMINAL:
            task.state = State.KILLED
        self.model.close_empty()

    @precondition(lambda self: self.model.tasks)
    @rule(which=picks)
    def retry(self, which: int) -> None:
        task_id = self._pick(which, *State)
        task = self.model.tasks[task_id]
        assert moves.retry([task_id]) == (task.state in TERMINAL)
        if task.state in TERMINAL:
            task.state, task.losses = State.WAITING, 0

    @rule()
    def move_the_lands(self) -> None:
        one, two = self.nodes
        first = Land.objects.values_list("node_id", flat=True)[0]
        Land.objects.update(node=two if first == one.pk else one)

    @invariant()
    def states_agree(self) -> None:
        found = dict(Task.objects.values_list("pk", "state"))
        assert found == {pk: task.state for pk, task in self.model.tasks.items()}

    @invariant()
    def leases_agree(self) -> None:
        found = set(Lease.objects.open().values_list("pk", flat=True))
        assert found == set(self.model.leases)
        owners = Task.objects.filter(state__in=(State.INQUEUE, State.RUNNING))
        held = {pk: task.lease for pk, task in self.model.tasks.items() if task.lease in found}
        for task_id, lease_id in owners.values_list("pk", "lease_id"):
            assert held[task_id] == lease_id

    @invariant()
    def books_balance(self) -> None:
        world.check_books()

    def _tell(self, ended: Ended) -> None:
        """A result counts when its task still runs under its lease, and never otherwise."""
        task = self.model.tasks[ended.task_id]
        counts = task.state == State.RUNNING and task.lease == ended.lease_id
        assert world.finish(ended) == ({ended.task_id} if counts else set())
        if counts:
            task.state = ENDS[ended.verb]
            self.model.close_empty()

    def _start(self, lease: int) -> None:
        waiting = [task for task in self.model.under(lease) if task.state == State.INQUEUE]
        moved = moves.start(lease, self.model.leases[lease])
        assert len(moved) == len(waiting)
        for task in waiting:
            task.state = State.RUNNING
        begun = Task.objects.filter(pk__in=[task.id for task in moved])
        self.model.tries += map(world.end, begun)

    def _in(self, *states: State) -> list[int]:
        return [pk for pk, task in self.model.tasks.items() if task.state in states]

    def _pick(self, which: int, *states: State) -> int:
        found = self._in(*states)
        return found[which % len(found)]

    def _lease(self, which: int) -> int:
        return sorted(self.model.leases)[which % len(self.model.leases)]


@pytest.mark.timeout(900)
@pytest.mark.django_db(transaction=True)
def test_whatever_happens_in_whatever_order_the_record_stays_right() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            deadline=None,
            # Shrinking takes minutes; the steps of a failure are printed as they were.
            phases=[Phase.generate],
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
