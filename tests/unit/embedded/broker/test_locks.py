from pathlib import Path

import pytest

from hashworld.embedded.broker import Broker
from hashworld.embedded.broker.locks import LockFile

FIRST_OWNER = 1


def test_a_number_nobody_holds_is_free(tmp_path: Path) -> None:
    assert LockFile(tmp_path / "locks").is_free(1)


def test_a_number_held_by_another_process_is_not_free(broker: Broker, hold) -> None:
    hold(30)
    assert not broker.store.locks.is_free(FIRST_OWNER)


def test_a_number_held_by_another_process_cannot_be_held(broker: Broker, hold) -> None:
    hold(30)
    with pytest.raises(BlockingIOError):
        broker.store.locks.hold(FIRST_OWNER)


def test_the_number_of_a_killed_process_is_free_even_before_it_is_reaped(
    broker: Broker, hold, wait_until
) -> None:
    holder = hold(30)
    holder.kill()
    wait_until(lambda: broker.store.locks.is_free(FIRST_OWNER))


def test_asking_does_not_take_the_number(broker: Broker, path: Path, hold) -> None:
    broker.store.locks.is_free(FIRST_OWNER)
    hold(30)
    assert not broker.store.locks.is_free(FIRST_OWNER)
