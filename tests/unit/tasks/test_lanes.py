"""Which lane a task waits in, and who is served first."""

from hypothesis import given
from hypothesis import strategies as st

from hashworld.tasks.lanes import SUSPECT, in_order, lane_of, rank, shares
from hashworld.tasks.models import Priority

owners = st.none() | st.integers(1, 7999)


@given(owners, owners, st.sampled_from(Priority), st.sampled_from(Priority))
def test_lanes_differ_by_owner_and_priority(
    one: int | None, other: int | None, mine: Priority, theirs: Priority
) -> None:
    same = (lane_of(mine, one) == lane_of(theirs, other), (mine, one) == (theirs, other))
    assert len(set(same)) == 1


@given(st.integers(1), st.sampled_from(Priority))
def test_a_lane_fits_into_a_small_integer_and_is_never_that_of_suspects(
    owner: int, priority: Priority
) -> None:
    assert 0 <= lane_of(priority, owner) < 2**15
    assert lane_of(priority, owner) != SUSPECT
    assert rank(lane_of(priority, owner)) == priority


def test_suspects_come_first_then_higher_priorities_whoever_owns_them() -> None:
    high, normal, low = lane_of(2, 9), lane_of(1, 1), lane_of(0, None)
    assert in_order([low, normal, SUSPECT, high, normal]) == [SUSPECT, high, normal, low]


def test_owners_share_the_room_of_their_rank_alone() -> None:
    one, other, high = lane_of(1, 1), lane_of(1, 2), lane_of(2, 1)
    assert shares({one, other, high}, 9) == {one: 5, other: 5, high: 9}
