"""When a transaction is begun again."""

import pytest
from django.db import IntegrityError, OperationalError, transaction

from hashworld.transaction import TRIES, retried, transient

DEADLOCK = OperationalError(1213, "Deadlock found when trying to get lock")


class Fails:
    """Fails so many times, then answers how often it was called."""

    def __init__(self, times: int, error: Exception = DEADLOCK) -> None:
        self.calls = 0
        self._times = times
        self._error = error

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self._times:
            raise self._error
        return self.calls


@pytest.mark.django_db(transaction=True)
def test_a_deadlocks_victim_begins_again() -> None:
    assert retried(Fails(times=2))() == 3


@pytest.mark.django_db(transaction=True)
def test_it_gives_up_in_the_end() -> None:
    fails = Fails(times=99)
    with pytest.raises(OperationalError, match="Deadlock"):
        retried(fails)()
    assert fails.calls == TRIES


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "error", [OperationalError(2006, "gone"), IntegrityError(1062), ValueError(1213)]
)
def test_other_errors_are_not_tried_again(error: Exception) -> None:
    fails = Fails(times=1, error=error)
    with pytest.raises(type(error)):
        retried(fails)()
    assert fails.calls == 1


@pytest.mark.django_db(transaction=True)
def test_inside_another_transaction_the_error_passes_through() -> None:
    fails = Fails(times=1)
    with pytest.raises(OperationalError), transaction.atomic():
        retried(fails)()
    assert fails.calls == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_that_may_be_retried_the_outer_begins_again() -> None:
    fails = Fails(times=1)
    outer = retried(lambda: retried(fails)())
    assert outer() == 2


@pytest.mark.django_db(transaction=True)
def test_it_runs_in_a_transaction_of_its_own() -> None:
    inside: list[bool] = []
    retried(lambda: inside.append(transaction.get_connection().in_atomic_block))()
    assert inside == [True]
    assert not transaction.get_connection().in_atomic_block


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (OperationalError(1213), True),
        (OperationalError(1205), True),
        (OperationalError(1020), True),
        (OperationalError(2006), False),
        (OperationalError("database is locked"), False),
        (OperationalError(), False),
    ],
)
def test_which_errors_may_pass(error: OperationalError, again: bool) -> None:
    assert transient(error) is again
