"""Who owns which land: by weight, alike everywhere, and with no more moving than needed."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashworld.nodes.lands import land_of, plan
from hashworld.nodes.models import LANDS

NODES = {f"node-{i}": 100 for i in range(8)}


def test_every_land_has_an_owner() -> None:
    assert sorted(plan(NODES)) == list(range(LANDS))
    assert set(plan(NODES).values()) == set(NODES)


def test_without_nodes_nobody_owns_anything() -> None:
    assert plan({}) == {}


@pytest.mark.parametrize(
    ("weights", "tolerance"),
    [(NODES, 0.3), ({"small": 100, "large": 300}, 0.15), ({"a": 1, "b": 1, "c": 2}, 0.15)],
)
def test_lands_are_shared_by_weight(weights: dict[str, int], tolerance: float) -> None:
    owned = Counter(plan(weights).values())
    for name, weight in weights.items():
        share = LANDS * weight / sum(weights.values())
        assert owned[name] == pytest.approx(share, rel=tolerance)


def test_a_node_that_leaves_moves_only_its_own_lands() -> None:
    before = plan(NODES)
    after = plan({name: weight for name, weight in NODES.items() if name != "node-3"})
    assert {land for land in before if before[land] != after[land]} == {
        land for land, owner in before.items() if owner == "node-3"
    }


def test_a_node_that_joins_takes_lands_for_itself_alone_and_no_more_than_its_share() -> None:
    before, after = plan(NODES), plan({**NODES, "new": 100})
    moved = [after[land] for land in before if before[land] != after[land]]
    assert set(moved) == {"new"}
    assert len(moved) == pytest.approx(LANDS / 9, rel=0.3)


def test_a_node_that_grows_takes_lands_and_loses_none() -> None:
    before, after = plan(NODES), plan({**NODES, "node-3": 200})
    moved = {after[land] for land in before if before[land] != after[land]}
    assert moved == {"node-3"}


@settings(max_examples=10, deadline=None)
@given(st.permutations(list(NODES)))
def test_the_order_of_the_nodes_does_not_matter(names: list[str]) -> None:
    assert plan({name: NODES[name] for name in names}) == plan(NODES)


def test_the_answer_is_the_same_on_every_machine_and_in_every_version() -> None:
    # Once nodes of two versions run side by side, these may never change.
    assert [land_of(host) for host in ("a.example", "b.example", "[::1]")] == [526, 795, 94]
    assert [plan({"a": 1, "b": 2, "c": 3})[land] for land in range(12)] == list("acccccbbcaac")


def test_hosts_spread_over_the_lands() -> None:
    counts = Counter(land_of(f"host-{i}.example") for i in range(20 * LANDS))
    assert set(counts) == set(range(LANDS))
    assert max(counts.values()) < 60
