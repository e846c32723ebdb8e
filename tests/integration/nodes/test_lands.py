"""Who owns which land, and who may say so."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError, transaction

from hashworld.nodes import clock, heartbeat, lands, leadership
from hashworld.nodes.leadership import Candidate, TermOver
from hashworld.nodes.models import LANDS, Land, Leadership, Node
from tests.integration.nodes.world import alive

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def assign() -> Callable[[], int]:
    """Assign the lands as the master does."""
    lands.make()
    master = Candidate("master/1")
    assert master.run_once()
    return lambda: lands.assign(master.term)


def owners() -> Counter[str | None]:
    return Counter(Land.objects.values_list("node__name", flat=True))


def owned() -> dict[int, str | None]:
    return dict(Land.objects.values_list("id", "node__name"))


def run_out() -> None:
    Leadership.objects.update(expires_at=clock.now() - timedelta(seconds=1))


def test_lands_go_to_the_nodes_that_are_alive_by_their_weight(assign: Callable[[], int]) -> None:
    alive("one", 100)
    alive("two", 300)
    heartbeat.leave(alive("gone", 100))
    heartbeat.join("joining", "1", 100)
    assert assign() == LANDS
    found = owners()
    assert set(found) == {"one", "two"}
    assert 2 < found["two"] / found["one"] < 4.5
    assert assign() == 0


@pytest.mark.parametrize("go", [heartbeat.drain, heartbeat.leave])
def test_the_lands_of_a_node_that_goes_move_and_no_others(
    assign: Callable[[], int], go: Callable[[Node], None]
) -> None:
    nodes = [alive(name) for name in ("one", "two", "three")]
    assign()
    before = owned()
    go(nodes[0])
    assert assign() == list(before.values()).count("one")
    after = owned()
    assert {land for land in before if before[land] != after[land]} == {
        land for land, owner in before.items() if owner == "one"
    }


def test_without_a_live_node_every_land_stays_where_it_is(assign: Callable[[], int]) -> None:
    node = alive("one")
    assign()
    heartbeat.leave(node)
    assert assign() == 0
    assert owners() == {"one": LANDS}


def test_ten_nodes_come_and_go_and_no_more_moves_than_must(assign: Callable[[], int]) -> None:
    names = [f"node-{number}" for number in range(10)]
    nodes, moved, pictures = [alive(names[0])], [], []
    assign()
    for name in names[1:]:
        pictures.append(before := owned())
        nodes.append(alive(name))
        moved.append(assign())
        after = owned()
        assert {after[land] for land in after if after[land] != before[land]} == {name}
    for node in reversed(nodes[1:]):
        heartbeat.leave(node)
        moved.append(assign())
        assert owned() == pictures.pop(), "as if it had never been there"
    # The joiner's share at each step, and the same on the way back.
    ideal = 2 * sum(LANDS / count for count in range(2, 11))
    print(f"lands moved: {sum(moved)}, ideally {ideal:.0f}; by step {moved}")
    assert sum(moved) == pytest.approx(ideal, rel=0.1)


def test_only_the_term_that_leads_may_assign() -> None:
    lands.make()
    alive("one")
    old = Candidate("old/1")
    old.run_once()
    term = old.term
    run_out()
    Candidate("new/1").run_once()
    for stale in (term, None):
        with pytest.raises(TermOver):
            lands.assign(stale)
    assert owners() == {None: LANDS}


def test_planning_anew_on_demand_leads_for_a_moment_where_nobody_does() -> None:
    lands.make()
    alive("one")
    assert lands.replan() == LANDS
    assert leadership.master(clock.now()) is None
    assert Leadership.objects.get().term == 1


def test_planning_anew_on_demand_leaves_the_master_in_its_place() -> None:
    lands.make()
    master = Candidate("master/1")
    master.run_once()
    alive("one")
    assert lands.replan() == LANDS
    assert master.run_once()
    assert master.term == 1


def test_planning_anew_frees_the_leadership_even_if_it_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(term: int | None) -> int:
        with transaction.atomic():
            leadership.guard(term)
        raise OperationalError(2013, "lost connection")

    monkeypatch.setattr(lands, "assign", fail)
    with pytest.raises(OperationalError):
        lands.replan()
    assert leadership.master(clock.now()) is None
