"""What a node holds, and for how long it may trust it."""

import pytest

from hashworld.tasks.holdings import Holdings

SENT = 1000.0


@pytest.fixture
def holdings() -> Holdings:
    """Lease 1 with tasks 11 and 12, lease 2 with task 21; trusted for 9.6 of the first 12 s."""
    holdings = Holdings(lease_seconds=15)
    holdings.add(1, {11: 111, 12: 112}, sent=SENT)
    holdings.add(2, {21: 121}, sent=SENT + 5)
    return holdings


def test_trust_is_counted_from_when_the_start_was_sent(holdings: Holdings) -> None:
    assert holdings.distrusted(SENT + 9.5) == []
    assert holdings.distrusted(SENT + 9.7) == [1]
    assert holdings.distrusted(SENT + 14.7) == [1, 2]


def test_trust_ends_before_the_lease_does() -> None:
    holdings = Holdings(lease_seconds=15)
    holdings.add(1, {11: 111}, sent=SENT)
    assert holdings.distrusted(SENT + 11.9) == [1]


def test_a_renewal_is_trusted_from_when_it_was_sent(holdings: Holdings) -> None:
    # The answer came at SENT + 11, which changes nothing. From here on it has its whole time.
    holdings.renewed([1, 2], sent=SENT + 4)
    assert holdings.distrusted(SENT + 15.9) == []
    assert holdings.distrusted(SENT + 16.1) == [1, 2]


def test_leases_are_renewed_when_the_oldest_is_due(holdings: Holdings) -> None:
    assert not holdings.due(SENT + 2.9)
    assert holdings.due(SENT + 3)
    holdings.renewed([1, 2], sent=SENT + 6)
    assert not holdings.due(SENT + 8.9)
    holdings.add(3, {31: 131}, sent=SENT)  # its node stood still while it started
    assert holdings.due(SENT + 6)


def test_a_node_that_holds_nothing_renews_nothing() -> None:
    assert not Holdings(lease_seconds=15).due(SENT)


def test_a_lease_that_is_closed_by_its_own_last_end_is_not_missing(holdings: Holdings) -> None:
    holdings.ending([1])
    assert holdings.missing([1, 2, 3]) == [2]
    holdings.done([(1, 11), (1, 12)])
    holdings.ending([])
    assert holdings.missing([1, 2, 3]) == [2]


def test_a_lease_that_is_not_held_is_not_renewed(holdings: Holdings) -> None:
    holdings.renewed([7], sent=SENT + 100)
    assert holdings.leases() == [1, 2]


def test_a_task_that_is_done_is_let_go_and_the_last_takes_its_lease_along(
    holdings: Holdings,
) -> None:
    assert holdings.done([(1, 11)]) == [111]
    assert (holdings.leases(), len(holdings)) == ([1, 2], 2)
    assert holdings.done([(1, 12), (2, 21)]) == [112, 121]
    assert (holdings.leases(), len(holdings)) == ([], 0)
    assert holdings.distrusted(SENT + 100) == []


def test_what_is_not_held_cannot_be_done(holdings: Holdings) -> None:
    assert holdings.done([(1, 99), (7, 11), (2, 11)]) == []
    assert len(holdings) == 3


def test_a_task_is_done_once(holdings: Holdings) -> None:
    assert holdings.done([(1, 11), (1, 11)]) == [111]


def test_a_lease_is_dropped_with_all_its_tasks(holdings: Holdings) -> None:
    assert holdings.drop([1, 7]) == [111, 112]
    assert holdings.leases() == [2]
    assert holdings.done([(1, 11)]) == []


def test_the_caller_may_change_what_it_handed_over() -> None:
    holdings, keys = Holdings(lease_seconds=15), {11: 111}
    holdings.add(1, keys, sent=SENT)
    keys.clear()
    assert len(holdings) == 1
