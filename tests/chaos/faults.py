"""The faults. Each strikes under load and sees to it that what it breaks is whole again."""

from collections.abc import Callable

from hashworld.nodes import clock
from hashworld.tasks import moves
from hashworld.tasks.models import Priority, Task
from hashworld.tasks.states import State
from tests.chaos.stage import Stage, StageError
from tests.chaos.verdict import Fate

#: How many pages that never answer are killed.
HANGING = 5

Fault = Callable[[Stage, int], None]


def kill(stage: Stage, load: int) -> None:
    """A node is killed for good with leases in its hands: the others take them over."""
    stage.load(load)
    name = stage.busy_node()
    stage.fleet.retire(name)
    stage.wait_for_rescue(name, "rescue_after_kill_seconds")
    stage.fleet.start(name)


def restart(stage: Stage, load: int) -> None:
    """A node is killed and comes back at once: it takes its own work back."""
    stage.load(load)
    name = stage.busy_node()
    before = stage.incarnation(name)
    stage.fleet[name].kill()
    stage.wait(lambda: stage.incarnation(name) != before, "a node that came back")


def poison(stage: Stage, load: int) -> None:
    """A task kills its process each time: it ends as poison, its neighbours succeed."""
    stage.load(load // 4)
    stage.page("killer", Fate.POISON)
    stage.load(load - load // 4 - 1)


def freeze(stage: Stage, load: int) -> None:
    """A node freezes with a result in its hands, for longer than its leases last: it is refused."""
    stage.load(load - 1)
    stage.busy_node()
    _, url = stage.page("freezer", priority=Priority.HIGH)
    zombie = stage.freeze_parked()
    try:
        stage.wait_for_rescue(zombie.name, "rescue_after_freeze_seconds")
        # Now only the lease tells the zombie's result from the one that is on its way.
        stage.wait(lambda: stage.site.gets(url) > 1, "another node that fetches the page")
    finally:
        zombie.thaw()
    stage.wait(lambda: "leases lost" in zombie.said(), "a node that knows what it lost")


def drain(stage: Stage, load: int) -> None:
    """A node is asked to stop under load: it leaves, and nothing counts as lost."""
    stage.load(load)
    name = stage.busy_node()
    incarnation = stage.incarnation(name)
    code = stage.fleet.drain(name)
    if code or (losses := stage.ledger.losses(incarnation)):
        raise StageError(f"a drained node ended with {code} and {losses} losses")
    stage.fleet.start(name)


def purge(stage: Stage, load: int) -> None:
    """The nodes' messages are deleted before they are read: unstarted leases run out."""
    before = stage.ledger.count
    with stage.standstill():
        stage.lose_messages(load // 4)
    stage.load(load - (stage.ledger.count - before))


def broker_away(stage: Stage, load: int) -> None:
    """The broker takes nothing while jobs are handed in: they are, and are fetched afterwards."""
    stage.load(load // 2)
    stage.busy_node()
    with stage.broker.away():
        began = clock.now()
        stage.load(load - load // 2)
        seconds = (clock.now() - began).total_seconds()
        stage.figures["submit_seconds"] = round(seconds, 2)


def scheduler(stage: Stage, load: int) -> None:
    """The scheduler is killed and comes back."""
    stage.load(load)
    stage.busy_node()
    stage.fleet["scheduler"].kill()


def cancel(stage: Stage, load: int) -> None:
    """A person kills tasks whose target never answers."""
    hanging = [stage.page("hang", Fate.KILLED) for _ in range(HANGING)]
    stage.load(load - HANGING)
    ids = [task_id for task_id, _ in hanging]
    running = Task.objects.filter(pk__in=ids, state=State.RUNNING)
    stage.wait(lambda: running.count() == len(ids), "fetches that hang")
    moves.kill(ids)
    urls = [url for _, url in hanging]
    stage.wait(lambda: not any(map(stage.site.waiting, urls)), "an end of what was killed")


FAULTS: tuple[Fault, ...] = (
    kill,
    restart,
    poison,
    freeze,
    drain,
    purge,
    broker_away,
    scheduler,
    cancel,
)
