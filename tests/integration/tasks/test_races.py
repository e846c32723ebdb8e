"""Two that want to move the same task at once: one wins each time, and the record says so.

HASHWORLD_TEST_RACES is the number of races of all kinds together; a full run has 10,000.
"""

import os
from collections import Counter
from collections.abc import Callable
from threading import Barrier, Thread

import pytest
from django.db import connections

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import moves
from hashworld.tasks.models import Attempt, Host, HostQueue, Job, Kill, Lease, Task
from hashworld.tasks.states import State, Verb
from tests.integration.tasks import world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

RACES = int(os.environ.get("HASHWORLD_TEST_RACES", "180"))
KINDS = 3
#: Races of one setting; its books are checked as a whole.
HEAT = 100
PATIENCE = 60

Runner = Callable[[Task], int]


def running(node: Node, number: int) -> list[Task]:
    """Tasks that run, each under a lease of its own, two on each host."""
    job = world.hand_in(*(f"http://h{i // 2}.example/{i}" for i in range(number)))
    for task in world.tasks(job):
        [lease] = world.lease(node, task.pk)
        moves.start(lease.pk, node.incarnation)
    return world.tasks(job)


def race(tasks: list[Task], first: Runner, second: Runner) -> list[tuple[int, int]]:
    """Let two threads go at task after task at the same moment; what each of them moved."""
    meet = Barrier(2)
    moved: dict[Runner, list[int]] = {first: [], second: []}
    failed: list[BaseException] = []

    def run(runner: Runner) -> None:
        try:
            for task in tasks:
                meet.wait(PATIENCE)
                moved[runner].append(runner(task))
        except BaseException as error:
            failed.append(error)
            meet.abort()
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(runner,)) for runner in moved]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
    return list(zip(moved[first], moved[second], strict=True))


def kill(task: Task) -> int:
    return moves.kill([task.pk])


def retry(task: Task) -> int:
    return moves.retry([task.pk])


def rescue(task: Task) -> int:
    return moves.rescue([task.lease_id or 0])


def finish(task: Task) -> int:
    return len(moves.finish([world.end(task)], clock.now()))


def heats() -> list[int]:
    """The sizes of the settings of one kind of race."""
    left = -(-RACES // KINDS)
    return [min(HEAT, left - begun) for begun in range(0, left, HEAT)]


def check(node: Node, heat: Callable[[Node, int], Counter[str]], name: str) -> None:
    won: Counter[str] = Counter()
    for size in heats():
        won += heat(node, size)
        world.check_books()
        assert not Lease.objects.open().exists()
        Task.objects.all().delete()
        for model in (Attempt, Kill, Lease, HostQueue, Host, Job):
            model.objects.all().delete()
    print(f"{won.total()} races of {name}: {dict(won)}")


def test_a_kill_against_a_result_has_one_winner(node: Node) -> None:
    def heat(node: Node, size: int) -> Counter[str]:
        tasks = running(node, size)
        won: Counter[str] = Counter()
        for task, result in zip(tasks, race(tasks, kill, finish), strict=True):
            assert sum(result) == 1, f"{task}: killed and finished {result}"
            task.refresh_from_db()
            [attempt] = Attempt.objects.filter(task=task)
            killed = result == (1, 0)
            assert task.state == (State.KILLED if killed else State.SUCCEED)
            assert attempt.error == task.error == ("killed" if killed else "")
            assert Kill.objects.filter(task=task).count() == killed
            won["kill" if killed else "result"] += 1
        return won

    check(node, heat, "kill against finish")


def test_a_rescue_against_a_result_has_one_winner(node: Node) -> None:
    def heat(node: Node, size: int) -> Counter[str]:
        tasks = running(node, size)
        won: Counter[str] = Counter()
        for task, result in zip(tasks, race(tasks, rescue, finish), strict=True):
            assert sum(result) == 1, f"{task}: rescued and finished {result}"
            task.refresh_from_db()
            [attempt] = Attempt.objects.filter(task=task)
            rescued = result == (1, 0)
            assert task.state == (State.WAITING if rescued else State.SUCCEED)
            assert (attempt.error, task.losses) == (("lost", 1) if rescued else ("", 0))
            won["rescue" if rescued else "result"] += 1
        return won

    check(node, heat, "rescue against finish")


def test_a_retry_against_a_kill_leaves_what_the_later_one_wanted(node: Node) -> None:
    def heat(node: Node, size: int) -> Counter[str]:
        tasks = running(node, size)
        # Of every two, one has failed: then it is the retry that may come first.
        failed = {task.pk for task in tasks[::2]}
        world.finish(*(world.end(task, Verb.FAIL) for task in tasks[::2]))
        won: Counter[str] = Counter()
        for task, result in zip(tasks, race(tasks, retry, kill), strict=True):
            task.refresh_from_db()
            retried, killed = result
            if task.pk in failed:
                assert retried == 1, "the end is there, whoever comes first"
                assert task.state == (State.KILLED if killed else State.WAITING)
            else:
                assert killed == 1, "it runs until it is killed"
                assert task.state == (State.WAITING if retried else State.KILLED)
            assert Attempt.objects.filter(task=task).count() == 1
            won["retry" if task.state == State.WAITING else "kill"] += 1
        return won

    check(node, heat, "retry against kill")
