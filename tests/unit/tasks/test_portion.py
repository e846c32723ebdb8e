"""How much a node is given, in which order, and with how much care."""

from hypothesis import given
from hypothesis import strategies as st

from hashworld.tasks.lanes import lane_of
from hashworld.tasks.portion import (
    ALONE,
    HELD_PER_TASK,
    REFILLED,
    SUSPECTS,
    Due,
    Load,
    Portion,
    portions,
    share,
)

SUSPECT, HIGH, NORMAL = 3, 2, 1


def due(*hosts: int, lane: int = NORMAL, losses: int = 0, first: int = 1) -> list[Due]:
    """Due tasks with ids from `first` on, one of each of these hosts."""
    return [Due(first + i, host, lane, losses, 1) for i, host in enumerate(hosts)]


def cut(
    tasks: list[Due],
    load: Load | None = None,
    allowed: dict[int, int] | None = None,
    *,
    room: int | None = None,
    calmest: bool = True,
    held: tuple[int, ...] = (),
    lease_size: int = 100,
) -> list[Portion]:
    load = load or Load(max_tasks=100, out=0)
    return portions(
        tasks,
        load,
        allowed or {task.host_id: 100 for task in tasks},
        calmest=calmest,
        held=held,
        room=load.room if room is None else room,
        lease_size=lease_size,
    )


def ids(leases: list[Portion]) -> list[int]:
    return [task_id for lease in leases for task_id in lease.task_ids]


def test_a_node_has_room_for_twice_what_it_may_have_in_flight() -> None:
    assert Load(max_tasks=10, out=0).room == 10 * HELD_PER_TASK
    assert Load(max_tasks=10, out=15).room == 5
    assert Load(max_tasks=10, out=25).room == 0
    assert Load(max_tasks=10, out=1, alone=True).room == 0


def test_a_scrap_of_room_is_not_worth_a_lease() -> None:
    assert Load(max_tasks=100, out=150).worth_a_lease
    assert not Load(max_tasks=100, out=151).worth_a_lease
    assert not Load(max_tasks=1, out=2).worth_a_lease


def test_no_more_is_given_than_there_is_room_for() -> None:
    assert ids(cut(due(1, 2, 3, 4, 5), Load(max_tasks=2, out=1))) == [1, 2, 3]


def test_no_more_of_a_host_is_given_than_is_allowed() -> None:
    assert ids(cut(due(1, 1, 1, 2, 2), allowed={1: 2, 2: 1})) == [1, 4, 2]


def test_a_host_without_an_allowance_is_given_nothing() -> None:
    assert cut(due(1, 2), allowed={1: 0}) == []


def test_hosts_take_turns() -> None:
    assert ids(cut(due(1, 1, 1, 2, 3, 3))) == [1, 4, 5, 2, 6, 3]


def test_owners_take_turns_whatever_each_has() -> None:
    one, other = lane_of(NORMAL, 1), lane_of(NORMAL, 2)
    tasks = [*due(1, 2, 3, 4, lane=one), *due(5, 5, lane=other, first=11)]
    assert ids(cut(tasks, room=5)) == [1, 11, 2, 12, 3]


def test_a_higher_lane_is_served_whole_before_the_next() -> None:
    tasks = [*due(1, 1, 1, lane=HIGH), *due(2, 2, first=11)]
    assert ids(cut(tasks, Load(max_tasks=2, out=0))) == [1, 2, 3, 11]


def test_leases_have_at_most_their_size() -> None:
    assert [len(lease.task_ids) for lease in cut(due(*range(10)), lease_size=4)] == [4, 4, 2]


def test_with_nothing_due_there_is_no_lease() -> None:
    assert cut([]) == []


def test_suspects_go_in_one_small_set_of_their_own() -> None:
    tasks = [*due(*range(SUSPECTS + 8), lane=SUSPECT, losses=1), *due(7, 7, first=101)]
    suspects, fresh = cut(tasks)
    assert (len(suspects.task_ids), suspects.suspicion) == (SUSPECTS, 1)
    assert (fresh.task_ids, fresh.suspicion) == ([101, 102], 0)


def test_a_node_never_holds_more_than_so_many_suspects() -> None:
    tasks = due(*range(SUSPECTS + 8), lane=SUSPECT, losses=1)
    [more] = cut(tasks, Load(max_tasks=1000, out=SUSPECTS, suspects=SUSPECTS - REFILLED))
    assert (len(more.task_ids), more.suspicion) == (REFILLED, 1)


def test_single_places_of_suspects_are_not_refilled() -> None:
    tasks = [*due(1, 2, lane=SUSPECT, losses=1), *due(3, first=11)]
    load = Load(max_tasks=100, out=70, suspects=SUSPECTS - REFILLED + 1)
    assert ids(cut(tasks, load)) == [11]


def test_suspects_count_against_their_hosts_allowance_and_the_room() -> None:
    tasks = [*due(1, 1, lane=SUSPECT, losses=1), *due(1, 1, 2, first=11)]
    assert ids(cut(tasks, allowed={1: 3, 2: 5})) == [1, 2, 11, 13]
    assert ids(cut(tasks, Load(max_tasks=1, out=0))) == [1, 2]


def test_a_task_lost_twice_is_given_alone_to_an_empty_node() -> None:
    tasks = [*due(1, 2, lane=SUSPECT, losses=2), *due(3, first=11)]
    assert cut(tasks) == [Portion(tasks[:1], ALONE)]


def test_a_node_is_left_to_empty_itself_for_a_task_lost_twice() -> None:
    tasks = [*due(1, lane=SUSPECT, losses=2), *due(3, first=11)]
    assert cut(tasks, Load(max_tasks=100, out=1)) == []


def test_only_the_calmest_node_is_emptied_for_a_task_lost_twice() -> None:
    tasks = [*due(1, lane=SUSPECT, losses=2), *due(3, first=11)]
    assert ids(cut(tasks, calmest=False)) == [11]


def test_the_holder_of_its_host_is_emptied_for_a_task_lost_twice() -> None:
    tasks = [*due(1, lane=SUSPECT, losses=2), *due(3, first=11)]
    assert cut(tasks, calmest=False, held=(1,)) == [Portion(tasks[:1], ALONE)]


def test_a_task_lost_twice_waits_until_those_lost_once_are_through() -> None:
    tasks = [*due(1, lane=SUSPECT, losses=2), *due(2, lane=SUSPECT, losses=1, first=11)]
    assert cut(tasks) == [Portion(tasks[1:], 1)]
    assert cut(tasks[:1], Load(max_tasks=100, out=1, suspects=1)) == []


def test_a_fair_share_of_the_room_is_looked_for_on_each_host_of_a_lane() -> None:
    queues = [(1, HIGH), (1, NORMAL), (2, NORMAL), (3, NORMAL)]
    assert share(queues, {1: 100, 2: 5, 3: 0}, room=9) == {
        (1, HIGH): 18,
        (1, NORMAL): 6,
        (2, NORMAL): 5,
    }


tasks_due = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from([0, 0, 0, 1, 2])), max_size=60
).map(
    lambda found: [
        Due(i, host, SUSPECT if losses else NORMAL, losses, 1)
        for i, (host, losses) in enumerate(sorted(found, key=lambda pair: -pair[1]))
    ]
)


@given(
    tasks_due,
    st.builds(
        Load,
        max_tasks=st.integers(1, 20),
        out=st.integers(0, 60),
        suspects=st.integers(0, SUSPECTS),
    ),
    st.dictionaries(st.integers(1, 4), st.integers(0, 9)),
    st.booleans(),
)
def test_whatever_is_due_the_bounds_hold(
    tasks: list[Due], load: Load, allowed: dict[int, int], calmest: bool
) -> None:
    leases = portions(tasks, load, allowed, calmest=calmest, held=(), room=load.room, lease_size=7)
    given_ids = ids(leases)
    by_id = {task.task_id: task for task in tasks}
    assert len(given_ids) == len(set(given_ids))
    alone = [lease for lease in leases if lease.suspicion == ALONE]
    if alone:
        assert (len(given_ids), load.out) == (1, 0)
        return
    assert len(given_ids) <= load.room
    for host, number in allowed.items():
        assert sum(by_id[task_id].host_id == host for task_id in given_ids) <= number
    suspects = sum(len(lease.task_ids) for lease in leases if lease.suspicion)
    assert load.suspects + suspects <= SUSPECTS
    assert all(len(lease.task_ids) <= 7 for lease in leases if not lease.suspicion)
    for lease in leases:
        assert {by_id[task_id].losses for task_id in lease.task_ids} == {lease.suspicion}
