from collections import Counter

import pytest

from hashworld.nodes import heartbeat, lands
from hashworld.nodes.models import LANDS, Land

pytestmark = pytest.mark.django_db(transaction=True)


def owners() -> Counter[str | None]:
    return Counter(Land.objects.values_list("node__name", flat=True))


def test_lands_go_to_the_nodes_that_are_alive_by_their_weight() -> None:
    lands.make()
    for name, max_tasks in [("one", 100), ("two", 300), ("gone", 100)]:
        heartbeat.leave(heartbeat.join(name, "1", max_tasks)) if name == "gone" else (
            heartbeat.join(name, "1", max_tasks)
        )
    assert lands.assign() == LANDS
    found = owners()
    assert set(found) == {"one", "two"}
    assert 2 < found["two"] / found["one"] < 4.5
    assert lands.assign() == 0


def test_the_lands_of_a_node_that_drains_move_and_no_others() -> None:
    lands.make()
    nodes = [heartbeat.join(name, "1", 10) for name in ("one", "two", "three")]
    lands.assign()
    before = dict(Land.objects.values_list("id", "node_id"))
    heartbeat.drain(nodes[0])
    assert lands.assign() == list(before.values()).count(nodes[0].pk)
    after = dict(Land.objects.values_list("id", "node_id"))
    assert {land for land in before if before[land] != after[land]} == {
        land for land, owner in before.items() if owner == nodes[0].pk
    }


def test_without_a_live_node_every_land_stays_where_it_is() -> None:
    lands.make()
    node = heartbeat.join("one", "1", 10)
    lands.assign()
    heartbeat.leave(node)
    assert lands.assign() == 0
    assert owners() == {"one": LANDS}
