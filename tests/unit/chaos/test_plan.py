"""Which faults strike when: all of it by the seed, and never more than a cluster can bear."""

from itertools import islice
from random import Random

from tests.chaos.nemesis.plan import MOST_SILENT, Company, Kind, Steps, counted, in_turn, plan

NODES = ("n1", "n2", "n3", "n4")


def kind(name: str, company: Company, share: int = 1) -> Kind:
    def strike(scene: object, node: str, dice: Random) -> Steps:
        yield from ()

    strike.__name__ = name
    return Kind(strike, company, share)


KINDS = [
    *(kind(f"{company.name} {number}", company, number) for company in Company for number in (1, 5))
]


def test_a_plan_follows_from_its_seed_alone() -> None:
    assert plan(7, KINDS, 40, NODES) == plan(7, KINDS, 40, NODES)
    assert plan(7, KINDS, 40, NODES) != plan(8, KINDS, 40, NODES)


def test_every_kind_strikes_and_all_together_often_enough() -> None:
    counts = counted(plan(7, KINDS, 40, NODES))
    assert set(counts) == {kind.name for kind in KINDS}
    assert sum(counts.values()) >= 40
    assert counts["RESCUE 5"] > counts["RESCUE 1"]


def test_one_node_is_always_left_and_none_is_struck_twice_at_once() -> None:
    for struck in plan(7, KINDS, 200, NODES):
        silent = [each.node for each in struck if each.kind.company is Company.RESCUE]
        assert len(silent) == len(set(silent)) <= MOST_SILENT


def test_who_strikes_everybody_strikes_alone_and_a_rescue_has_a_master() -> None:
    for struck in plan(7, KINDS, 200, NODES):
        companies = {each.kind.company for each in struck}
        assert Company.WHOLE not in companies or len(companies) == 1
        assert not {Company.RESCUE, Company.LEADER} <= companies


def test_none_comes_twice_before_all_have_come_and_the_order_follows_from_the_seed() -> None:
    drawn = list(islice(in_turn(NODES, Random(7)), 3 * len(NODES)))
    for begin in range(0, len(drawn), len(NODES)):
        assert sorted(drawn[begin : begin + len(NODES)]) == sorted(NODES)
    assert drawn == list(islice(in_turn(NODES, Random(7)), 3 * len(NODES)))
    assert drawn != list(islice(in_turn(NODES, Random(8)), 3 * len(NODES)))
