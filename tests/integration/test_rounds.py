"""A thread of rounds goes on whatever fails, and says what did."""

import threading

import pytest
from django.db import OperationalError, connection
from structlog.testing import capture_logs

from hashworld.rounds import Rounds
from tests.conftest import WaitUntil

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("error", "with_traceback"),
    [
        (ConnectionError("no route"), False),
        (OperationalError("gone away"), False),
        (KeyError("a fault of ours"), True),
    ],
)
def test_a_round_that_fails_is_told_and_tried_again(
    wait_until: WaitUntil, error: Exception, with_traceback: bool
) -> None:
    begun: list[int] = []

    def fail_twice() -> None:
        begun.append(1)
        if len(begun) <= 2:
            raise error

    rounds = Rounds("some", fail_twice, 0.01, failed=0.01, expected=(ConnectionError,))
    with capture_logs() as lines:
        rounds.start()
        wait_until(lambda: len(begun) >= 3)
        rounds.stop()
    told = [line for line in lines if line["event"].endswith("trying again")]
    assert [line["rounds"] for line in told] == ["some", "some"]
    assert [bool(line.get("exc_info")) for line in told] == [with_traceback] * 2


def test_a_round_that_fails_leaves_its_connection(wait_until: WaitUntil) -> None:
    connections: list[object] = []

    def fail() -> None:
        connection.ensure_connection()
        connections.append(connection.connection)
        raise OperationalError("gone away")

    rounds = Rounds("some", fail, 0.01, failed=0.01)
    rounds.start()
    wait_until(lambda: len(connections) >= 2)
    rounds.stop()
    assert connections[0] is not connections[1]


def test_a_stop_ends_the_thread(wait_until: WaitUntil) -> None:
    begun: list[int] = []
    rounds = Rounds("to be stopped", lambda: begun.append(1), 0.01)
    rounds.start()
    wait_until(lambda: bool(begun))
    rounds.stop()
    assert "to be stopped" not in [thread.name for thread in threading.enumerate()]
