"""Which hosts a node takes, feeds on and leaves to others."""

from hypothesis import given
from hypothesis import strategies as st

from hashworld.tasks.lending import even, fed, kept_hosts, lent
from hashworld.tasks.portion import Due, Load

EMPTY, LOW, HALF, HIGH, FULL = (Load(max_tasks=100, out=out) for out in (0, 50, 100, 150, 200))


def due(**hosts: int) -> list[Due]:
    """So many due tasks of each host, given as h1=3."""
    names = [int(name[1:]) for name, number in hosts.items() for _ in range(number)]
    return [Due(number, host, 1, 0, 1) for number, host in enumerate(names)]


def test_what_belongs_to_nobody_or_to_a_full_node_is_lent_to_all() -> None:
    assert lent(None, HIGH)
    assert fed(None, HIGH)
    assert lent(FULL, HIGH)


def test_a_free_host_is_lent_to_a_node_that_has_much_less_to_do() -> None:
    assert lent(HIGH, EMPTY)
    assert lent(HALF, LOW)
    assert not lent(LOW, LOW)
    assert not lent(EMPTY, EMPTY), "the owner is as idle"


def test_a_node_with_enough_to_do_is_lent_nothing_by_one_with_room() -> None:
    almost_full = Load(max_tasks=100, out=199)
    assert not lent(almost_full, HIGH)


def test_a_lent_host_is_let_go_once_its_owner_has_much_less_to_do() -> None:
    assert fed(HIGH, FULL)
    assert fed(HALF, HALF), "moving it would bring nothing"
    assert not fed(HALF, HIGH)
    assert not fed(EMPTY, LOW)


def test_nodes_of_different_sizes_are_compared_by_how_full_they_are() -> None:
    small, large = Load(max_tasks=10, out=15), Load(max_tasks=1000, out=100)
    assert lent(small, large)
    assert not lent(large, Load(max_tasks=10, out=0))


def test_a_node_fills_its_room_when_nobody_is_hungry() -> None:
    assert even(500, EMPTY, [], more=False) == EMPTY.room


def test_a_node_with_little_to_do_leaves_nothing() -> None:
    assert even(50, LOW, [EMPTY], more=False) == LOW.room


def test_work_is_shared_with_a_hungry_node_so_that_both_come_level() -> None:
    assert even(150, LOW, [EMPTY], more=False) == 50
    assert even(150, EMPTY, [EMPTY, EMPTY], more=False) == 50


def test_with_more_than_was_found_a_node_fills_its_room() -> None:
    assert even(150, LOW, [EMPTY], more=True) == LOW.room


def test_a_larger_node_keeps_the_larger_part() -> None:
    small = Load(max_tasks=50, out=0)
    assert even(150, EMPTY, [small], more=False) == 100


def test_who_has_its_part_already_takes_nothing() -> None:
    assert even(40, HIGH, [EMPTY], more=False) == 0


def test_a_node_keeps_its_share_of_the_hosts_those_that_it_holds_first() -> None:
    tasks = due(h1=5, h2=5, h3=5, h4=5)
    assert kept_hosts(tasks, {3, 4}, nodes=2, wanted=0) == {3, 4}
    assert kept_hosts(tasks, {4}, nodes=2, wanted=0) == {1, 4}


def test_a_node_leaves_no_more_hosts_than_make_all_hold_equally_many() -> None:
    tasks = due(h1=5, h2=5, h3=5, h4=5)
    assert kept_hosts(tasks, {1, 2, 3, 4}, nodes=2, wanted=0, theirs=2) == {1, 2, 3}
    assert kept_hosts(tasks, {1, 2, 3, 4}, nodes=2, wanted=0, theirs=9) == {1, 2, 3, 4}


def test_a_node_keeps_more_hosts_when_its_share_has_too_little() -> None:
    assert kept_hosts(due(h1=1, h2=1, h3=9), set(), nodes=3, wanted=5) == {1, 2, 3}


def test_a_single_host_stays() -> None:
    assert kept_hosts(due(h1=1), {1}, nodes=4, wanted=0) == {1}


loads = st.builds(Load, max_tasks=st.integers(1, 50), out=st.integers(0, 100))


@given(st.integers(0, 400), loads, st.lists(loads, max_size=4))
def test_nobody_takes_more_than_fits_or_stays_idle_beside_much_work(
    number: int, load: Load, hungry: list[Load]
) -> None:
    taken = even(number, load, hungry, more=False)
    assert 0 <= taken <= load.room
    if number > 2 * load.max_tasks and load.out == 0:
        assert taken > 0 or load.max_tasks == 1


@given(
    st.dictionaries(st.integers(1, 9), st.integers(1, 5), min_size=1),
    st.sets(st.integers(1, 9)),
    st.integers(1, 4),
    st.integers(0, 50),
)
def test_a_node_that_wants_something_always_keeps_a_host(
    sizes: dict[int, int], held: set[int], nodes: int, wanted: int
) -> None:
    kept = kept_hosts(due(**{f"h{id_}": n for id_, n in sizes.items()}), held, nodes, wanted)
    assert kept
    assert kept <= set(sizes)
    assert sum(sizes[id_] for id_ in kept) >= min(wanted, sum(sizes.values()))
