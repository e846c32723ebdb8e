"""Nodes that die, freeze, drain and are cut off, as real processes."""

import pytest

from hashworld.celery import app
from hashworld.nodes.models import Node, NodeState
from hashworld.tasks import moves
from hashworld.tasks.models import Attempt, Host, Kill, Lease, Task
from hashworld.tasks.publisher import CeleryPublisher
from hashworld.tasks.states import State
from tests.chaos.nemesis import kills
from tests.chaos.site import HOSTS
from tests.chaos.stage import Stage
from tests.chaos.verdict import Fate
from tests.conftest import Footing

pytestmark = pytest.mark.timeout(900)

REFUSED = "results refused by the fence"


def in_state(state: State, *task_ids: int) -> bool:
    """Whether all of these tasks are in a state."""
    return Task.objects.filter(pk__in=task_ids, state=state).count() == len(task_ids)


def losses() -> int:
    return Attempt.objects.filter(error="lost").count()


def assert_clean(stage: Stage) -> None:
    """Everything handed in came to its end, once, and by legal moves alone."""
    verdict = stage.ledger.verdict()
    assert verdict.is_clean, verdict.notes
    assert verdict.ok == stage.ledger.count


def test_the_work_of_a_killed_node_is_done_by_the_others(stage: Stage) -> None:
    stage.start("one", "two", "scheduler")
    stage.load(200)
    killed = stage.busy_node()
    stage.fleet.retire(killed)
    stage.settle()
    assert_clean(stage)
    assert losses() > 0


def test_a_node_that_starts_again_takes_the_work_of_its_earlier_incarnation_back(
    stage: Stage,
) -> None:
    stage.start("one")  # without a scheduler, nobody reaps
    _, url = stage.page("slow/1500")
    stage.wait(lambda: stage.site.waiting(url), "a fetch")
    (name,) = stage.names()
    stage.fleet[name].kill()
    stage.fleet.start(name)
    assert not stage.held(name)
    stage.start("scheduler")
    stage.settle()
    assert_clean(stage)
    assert losses() == 1


def test_what_a_frozen_node_brings_after_its_lease_is_refused(stage: Stage) -> None:
    stage.start("one", "two", "scheduler")
    task_id, url = stage.page("freezer")
    zombie = stage.freeze_parked()
    stage.wait(lambda: stage.site.waiting(url), "a second fetch by the other node")
    zombie.thaw()
    stage.wait(lambda: REFUSED in zombie.said(), "a refusal")
    stage.settle()
    assert_clean(stage)
    history = Attempt.objects.filter(task=task_id).order_by("number")
    (lost, _), (fetched, _) = leases = list(history.values_list("lease", "error"))
    assert [error for _, error in leases] == ["lost", ""]
    assert fetched > lost


def test_a_node_that_freezes_amid_a_transaction_does_not_hold_the_others_up(
    stage: Stage, footing: Footing
) -> None:
    if footing == "embedded":
        pytest.skip("SQLite has one lock, and who freezes with it in hand keeps it")
    stage.start("one", "two", "scheduler")
    task_id, _ = stage.page("blocker")
    stage.wait(stage.frozen, "a node that froze amid a transaction")
    stage.load(50)
    stage.settle()
    (zombie,) = stage.frozen()
    zombie.thaw()
    stage.wait(lambda: REFUSED in zombie.said(), "a refusal")
    assert_clean(stage)
    assert Task.objects.get(pk=task_id).losses == 1


def test_a_drained_node_leaves_without_a_loss_and_the_others_go_on(stage: Stage) -> None:
    stage.start("one", "two", "scheduler")
    stage.load(150)
    drained = stage.busy_node()
    assert stage.fleet.drain(drained) == 0
    assert Node.objects.get(name=drained).state == NodeState.LEFT
    assert not stage.held(drained)
    stage.settle()
    assert_clean(stage)
    assert losses() == 0


@pytest.mark.long
def test_a_fetch_that_outlasts_the_drain_is_given_back_and_not_counted_as_lost(
    stage: Stage,
) -> None:
    stage.start("one", "scheduler")
    (first,) = stage.names()
    task_id, url = stage.page("slow/4000")
    stage.wait(lambda: stage.site.waiting(url), "a fetch")
    assert stage.fleet.drain(first) == 0
    assert in_state(State.WAITING, task_id)
    stage.start("two")
    stage.settle()
    assert_clean(stage)
    assert Attempt.objects.get(task=task_id).error == ""


def test_a_task_that_takes_its_process_down_ends_as_poison_and_harms_nobody(stage: Stage) -> None:
    stage.start("one", "two", "scheduler")
    stage.load(30)
    task_id, url = stage.page("killer", Fate.POISON)
    stage.load(30)
    stage.settle()
    assert_clean(stage)
    assert stage.site.gets(url) == 3
    assert Task.objects.get(pk=task_id).losses == 3


def test_leases_whose_messages_were_deleted_are_found_again(stage: Stage) -> None:
    stage.start("one", "two", "scheduler")
    with stage.standstill():
        stage.lose_messages(50)
    stage.settle()
    assert_clean(stage)
    assert losses() == 0


def test_jobs_are_taken_while_the_broker_is_away_and_fetched_when_it_is_back(stage: Stage) -> None:
    stage.start("one", "two", "scheduler")
    stage.load(20)
    stage.settle()
    with stage.broker.away():
        task_ids = stage.load(50)
        assert Task.objects.filter(pk__in=task_ids).count() == 50
    stage.settle()
    # Without the scheduler's sweep it is this process alone that can publish.
    stage.fleet.retire("scheduler")
    stage.page("page")
    stage.settle()
    assert_clean(stage)


def test_a_killed_fetch_ends_soon_and_frees_its_place(stage: Stage) -> None:
    stage.start("one", "scheduler")
    urls = [stage.site.url("/hang/1"), stage.site.url("/hang/2", 1)]
    task_ids = stage.ledger.hand_in(urls, Fate.KILLED)
    stage.wait(lambda: all(map(stage.site.waiting, urls)), "fetches that hang")
    # The other one keeps their lease open.
    assert moves.kill(task_ids[:1]) == 1
    stage.wait(lambda: not stage.site.waiting(urls[0]), "the end of the fetch", patience=5)
    assert not Host.objects.get(name=HOSTS[0]).out
    assert stage.site.waiting(urls[1])
    assert moves.kill(task_ids) == 1
    assert not Lease.objects.open().exists()
    stage.wait(lambda: not stage.site.waiting(urls[1]), "the end of the other", patience=5)
    open_kills = Kill.objects.filter(confirmed_at=None)
    stage.wait(lambda: not open_kills.exists(), "their confirmation", patience=10)
    assert len(orders := kills.read(task_ids)) == 2
    assert kills.wrongs(orders) == []
    assert_clean(stage)


def test_a_page_that_was_busy_is_fetched_again_when_its_pause_is_over(stage: Stage) -> None:
    stage.start("one", "scheduler")
    task_id, url = stage.page("flaky", retry_base=4.0)
    stage.settle()  # nobody nudges when a pause is over: it is the sweep that finds it
    assert_clean(stage)
    assert stage.site.gets(url) == 2
    assert [a.error for a in Attempt.objects.filter(task=task_id)] == ["server_error", ""]


def test_a_target_that_hangs_delays_nobody_else_of_its_lease(stage: Stage) -> None:
    stage.start("one", "scheduler")
    urls = [stage.site.url("/hang/0"), *(stage.site.url(f"/page/{n}", n) for n in range(60))]
    hanging, *others = stage.ledger.hand_in(urls)
    stage.wait(lambda: in_state(State.SUCCEED, *others), "the end of all others")
    more = stage.load(60)
    stage.wait(lambda: in_state(State.SUCCEED, *more), "the end of later leases")
    assert in_state(State.RUNNING, hanging)
    assert stage.site.waiting(urls[0]) == 1


def test_a_lease_that_is_delivered_again_is_dropped(stage: Stage) -> None:
    stage.start("one", "scheduler")
    (name,) = stage.names()
    _, url = stage.page("slow/1500")
    stage.wait(lambda: stage.site.waiting(url), "a fetch")
    (lease_id,) = stage.held(name)
    publisher = CeleryPublisher(app)
    for _ in range(4):
        publisher.publish(lease_id, name)
    # The queue is served in order: once this is fetched, the repetitions have been read.
    _, after = stage.page("page")
    stage.wait(lambda: stage.site.gets(after), "what came after")
    stage.settle()
    publisher.publish(lease_id, name)
    stage.page("page")
    stage.settle()
    assert_clean(stage)
    assert stage.site.gets(url) == 1
