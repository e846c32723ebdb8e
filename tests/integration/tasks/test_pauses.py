"""Jobs and hosts that are paused: nothing new of them is leased, and nothing is forgotten."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hashworld.nodes.models import Node
from hashworld.tasks import intents, moves, parking, pauses, pursuit
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.lanes import SUSPECT
from hashworld.tasks.models import Host, Job, Lease, Priority, Task, Wanted
from hashworld.tasks.states import State, Verb
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


def lanes(job: Job) -> set[int | None]:
    return {task.lane for task in world.tasks(job)}


def test_nothing_of_a_paused_job_is_given_out_until_it_is_resumed(node: Node) -> None:
    job = world.hand_in(*world.pages(3))
    assert pauses.pause_job(job.pk, " too early ")
    assert Job.objects.get(pk=job.pk).pause_reason == "too early"
    assert world.give() == []
    pursuit.carry_out_all()
    assert world.give() == []
    world.check_books()
    assert pauses.resume_job(job.pk)
    pursuit.carry_out_all()
    world.give()
    assert len(world.out(job)) == 3
    world.check_books()


def test_what_runs_of_a_paused_job_goes_on_to_its_end(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    world.run()
    pauses.pause_job(job.pk)
    pursuit.carry_out_all()
    assert len(world.finish(*map(world.end, world.out(job)))) == 2
    world.check_books()


def test_the_others_on_the_same_host_go_on(node: Node) -> None:
    job = world.hand_in(*world.pages(40))
    pauses.pause_job(job.pk)
    pursuit.carry_out_all()
    other = world.hand_in(*world.pages(3))
    world.give()
    assert len(world.out(other)) == 3
    world.check_books()


def test_a_pause_that_is_not_through_yet_lets_the_others_by_all_the_same(node: Node) -> None:
    job = world.hand_in(*world.pages(40))
    other = world.hand_in(*world.pages(3))
    pauses.pause_job(job.pk)
    for _ in range(5):
        world.give()
    assert not world.out(job)
    assert len(world.out(other)) == 3
    world.check_books()


def test_a_dispatch_does_not_find_the_tasks_of_a_paused_job_again(node: Node) -> None:
    job = world.hand_in(*world.pages(10))
    pauses.pause_job(job.pk)
    world.give()
    with CaptureQueriesContext(connection) as captured:
        world.give()
    assert not [q for q in captured if "losses, job_id FROM tasks_task" in q["sql"]]
    world.check_books()


def test_a_pause_of_a_large_job_is_carried_out_in_chunks(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "CHUNK", 3)
    job = world.hand_in(*world.pages(8))
    pauses.pause_job(job.pk)
    parking.step(job.pk)
    assert Job.objects.get(pk=job.pk).parked_to == world.tasks(job)[2].pk
    assert [task.lane for task in world.tasks(job)] == [None] * 3 + [Priority.NORMAL] * 5
    pursuit.carry_out_all()
    assert lanes(job) == {None}
    pauses.resume_job(job.pk)
    pursuit.carry_out_all()
    assert lanes(job) == {Priority.NORMAL}
    assert Job.objects.pursued() == []
    world.check_books()


def test_a_job_resumed_amid_its_pause_is_whole_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "CHUNK", 3)
    job = world.hand_in(*world.pages(8))
    pauses.pause_job(job.pk)
    parking.step(job.pk)
    pauses.resume_job(job.pk)
    pursuit.carry_out_all()
    assert lanes(job) == {Priority.NORMAL}
    world.check_books()


def test_a_chunk_of_a_pause_that_was_ended_meanwhile_is_taken_back(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.hand_in(*world.pages(3))
    pauses.pause_job(job.pk)
    park, resumed = parking.park, []

    def resume_meanwhile(ids: list[int]) -> int:
        if not resumed:
            # Seen as it is seen of another process; it goes with the transaction that it ends.
            resumed.append(Job.objects.update(paused=False, parked_to=0))
        return park(ids)

    monkeypatch.setattr(parking, "park", resume_meanwhile)
    pursuit.carry_out_all()
    assert resumed
    assert Job.objects.get(pk=job.pk).paused
    assert lanes(job) == {None}
    world.check_books()


def test_what_is_parked_of_a_job_that_is_resumed_meanwhile_is_not_forgotten(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, other = world.hand_in(*world.pages(3)), world.hand_in(*world.pages(2))
    pauses.pause_job(job.pk)
    park, calls = parking.park, []

    def resume_meanwhile(ids: list[int]) -> int:
        calls.append(ids)
        if len(calls) == 1:
            # Another process resumes the job, and has passed over these tasks already; it goes
            # with the transaction that it ends.
            Job.objects.filter(pk=job.pk).update(paused=False, parked_to=None)
        return park(ids)

    monkeypatch.setattr(parking, "park", resume_meanwhile)
    world.give()
    assert len(calls) == 2
    assert len(world.out(other)) == 2
    pauses.resume_job(job.pk)
    pursuit.carry_out_all()
    assert lanes(job) == {Priority.NORMAL}
    world.give()
    assert len(world.out(job)) == 3
    world.check_books()


BACK: dict[str, Callable[[Job], object]] = {
    "release": lambda job: moves.release([world.out(job)[0].lease_id or 0]),
    "rescue": lambda job: moves.rescue([world.out(job)[0].lease_id or 0]),
    "retry later": lambda job: world.finish(
        *(world.end(task, Verb.RETRY_LATER) for task in world.out(job))
    ),
}


@pytest.mark.parametrize("way", BACK)
def test_what_a_paused_job_gets_back_is_not_given_out(node: Node, way: str) -> None:
    job = world.hand_in(*world.pages(2))
    world.run()
    pauses.pause_job(job.pk)
    pursuit.carry_out_all()
    BACK[way](job)
    assert lanes(job) == {None}
    world.let_come_due()
    assert world.give() == []
    world.check_books()
    pauses.resume_job(job.pk)
    pursuit.carry_out_all()
    assert lanes(job) == {SUSPECT if way == "rescue" else Priority.NORMAL}
    world.let_come_due()
    assert world.give()
    world.check_books()


def test_a_task_of_a_paused_job_that_is_retried_by_hand_is_not_given_out(node: Node) -> None:
    job = world.hand_in("http://a.example/", priority=Priority.HIGH)
    pursuit.kill_job(job.pk)
    pauses.pause_job(job.pk)
    pursuit.carry_out_all()
    moves.retry([task.pk for task in world.tasks(job)])
    assert lanes(job) == {None}
    assert world.give() == []
    pauses.resume_job(job.pk)
    pursuit.carry_out_all()
    assert lanes(job) == {Priority.HIGH}


def test_a_task_that_comes_back_while_its_job_is_resumed_is_not_forgotten(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.hand_in("http://a.example/")
    [lease] = world.run()
    look, looks = parking.lanes, []

    def paused_at_first(*arguments: object) -> dict[int, int | None]:
        found = look(*arguments)
        looks.append(found)
        # The first look comes before another process resumes the job.
        return dict.fromkeys(found) if len(looks) == 1 else found

    monkeypatch.setattr(parking, "lanes", paused_at_first)
    moves.release([lease.pk])
    assert lanes(job) == {Priority.NORMAL}
    assert len(looks) == 2


@pytest.mark.parametrize(
    "change", [{"paused": True}, {"wanted": Wanted.KILL}, {"wanted": Wanted.DELETE}]
)
def test_a_lease_that_a_pause_or_a_kill_overtakes_is_not_made(
    node: Node, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    job, other = world.hand_in(*world.pages(3)), world.hand_in(*world.pages(2))
    Job.objects.filter(pk=job.pk).update(**change)
    look, looks = parking.held, []

    def open_at_first(ids: set[int]) -> set[int]:
        looks.append(ids)
        # The first look comes before another process pauses or kills the job.
        return set() if len(looks) == 1 else look(ids)

    monkeypatch.setattr(parking, "held", open_at_first)
    world.give()
    assert not world.out(job)
    assert len(world.out(other)) == 2
    assert len(looks) == 2
    assert Lease.objects.count() == 1


def test_a_paused_job_can_be_killed_and_retried(node: Node) -> None:
    job = world.hand_in(*world.pages(5))
    pauses.pause_job(job.pk)
    intents.ask(job.pk, Wanted.KILL)
    pursuit.carry_out_all()
    assert {task.state for task in world.tasks(job)} == {State.KILLED}
    world.check_books()
    intents.ask(job.pk, Wanted.RETRY_KILLED)
    pursuit.carry_out_all()
    assert lanes(job) == {None}
    world.check_books()


def test_pausing_twice_changes_the_reason_alone(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    assert pauses.pause_job(job.pk, "one")
    assert not pauses.pause_job(job.pk, "two")
    assert Job.objects.get(pk=job.pk).pause_reason == "two"
    assert pauses.resume_job(job.pk)
    assert not pauses.resume_job(job.pk)
    assert Job.objects.get(pk=job.pk).pause_reason == ""


def test_a_reason_that_is_too_long_is_named_and_nothing_is_paused(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    for act in (
        lambda: pauses.pause_job(job.pk, "x" * 201),
        lambda: pauses.pause_hosts([Host.objects.get().pk], "x" * 201),
    ):
        with pytest.raises(InvalidInput, match="reason: it is longer than 200"):
            act()
    assert not Job.objects.get(pk=job.pk).paused
    assert not Host.objects.get().paused


def test_a_paused_host_gives_nothing_out_until_it_is_resumed(node: Node) -> None:
    job = world.hand_in("http://a.example/", "http://b.example/")
    host = Host.objects.get(name="a.example")
    assert pauses.pause_hosts([host.pk], "asked by its owner") == 1
    assert pauses.pause_hosts([host.pk], "still") == 0
    world.give()
    assert [task.host_id == host.pk for task in world.out(job)] == [False]
    assert pauses.resume_hosts([host.pk]) == 1
    world.give()
    assert len(world.out(job)) == 2
    assert Task.objects.filter(lane=None, state=State.WAITING).count() == 0
    world.check_books()
