"""What a node's writer records and gives back, one round at a time."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, OperationalError

from hashworld.nodes.models import Node
from hashworld.tasks import content, counts, moves
from hashworld.tasks.attempts import Ended
from hashworld.tasks.content import Place
from hashworld.tasks.content.packs import PackStore
from hashworld.tasks.models import Attempt, Content, Job, Kill, Lease, Minute, Task
from hashworld.tasks.states import State, Verb
from hashworld.tasks.writer import FLUSH_ROWS
from tests.integration.tasks import world
from tests.integration.tasks.desk import Desk, fetched, running

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_flush_records_attempt_content_and_state(desk: Desk) -> None:
    job, [task] = running(desk)
    desk.writer.put([fetched(task, title="Hi", timings=(1.0, 2.0, None, 3.0, 6.0))])
    desk.turn()
    task.refresh_from_db()
    assert (task.state, task.status, task.attempts) == (State.SUCCEED, 200, 1)
    assert task.content is not None
    assert content_of(desk, task) == b"hello"
    attempt = Attempt.objects.get()
    assert (attempt.title, attempt.number, attempt.content_id) == ("Hi", 1, task.content_id)
    assert (attempt.dns_ms, attempt.tls_ms, attempt.total_ms) == (1.0, None, 6.0)
    assert attempt.finished_at - attempt.started_at == timedelta(seconds=0.1)
    job.refresh_from_db()
    assert job.finished_at is not None
    assert (len(desk.holdings), desk.freed) == (0, 1)
    world.check_books()


def content_of(desk: Desk, task: Task) -> bytes:
    assert task.content is not None
    compressed = PackStore("", desk.folder).read(task.content)
    return content.zstd.decompress(compressed)


def test_the_same_body_is_kept_once(desk: Desk) -> None:
    _, tasks = running(desk, 3)
    desk.writer.put(map(fetched, tasks[:2]))
    desk.turn()
    desk.writer.put([fetched(tasks[2])])
    desk.turn()
    kept = Content.objects.get()
    assert set(Task.objects.values_list("content_id", flat=True)) == {kept.pk}
    assert sum(path.stat().st_size for path in desk.folder.iterdir()) < 120


def test_what_was_done_is_counted_by_the_minute(desk: Desk) -> None:
    _, tasks = running(desk, 3)
    desk.writer.put([fetched(tasks[0]), fetched(tasks[1]), world.end(tasks[2], Verb.FAIL)])
    desk.turn()
    counted = {row.kind: (row.number, row.bytes, row.node_id) for row in Minute.objects.all()}
    stored = len(content.compress(b"hello"))
    assert counted == {
        "succeeded": (2, 10, desk.node.pk),
        "connect": (1, 0, desk.node.pk),
        "kept": (1, stored, desk.node.pk),
    }
    assert Minute.objects.get(kind="succeeded").ms_100 == 2


def test_a_flush_takes_no_more_than_its_bound(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashworld.tasks.writer.FLUSH_ROWS", 2)
    job, tasks = running(desk, 3)
    desk.writer.put(map(world.end, tasks))
    desk.turn()
    job.refresh_from_db()
    assert (job.succeed, job.running) == (2, 1)
    assert FLUSH_ROWS > 2


@pytest.mark.parametrize(
    "part",
    [
        "hashworld.tasks.moves.record",
        "hashworld.tasks.accounts.settle",
        "hashworld.tasks.counts.add",
    ],
)
def test_a_flush_that_breaks_off_leaves_nothing_and_is_made_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    _, tasks = running(desk, 2)

    def gone(*_: object) -> None:
        raise OperationalError(2006, "server has gone away")

    desk.writer.put(map(fetched, tasks))
    with monkeypatch.context() as away:
        away.setattr(part, gone)
        with pytest.raises(OperationalError):
            desk.turn()
    assert not Attempt.objects.exists()
    assert not Content.objects.exists()
    assert not Minute.objects.exists()
    world.check_books()
    assert len(desk.holdings) == 2
    desk.turn()
    assert {task.state for task in Task.objects.all()} == {State.SUCCEED}
    assert [content_of(desk, task) for task in Task.objects.all()] == [b"hello"] * 2
    world.check_books()


def test_a_flush_begun_again_after_a_deadlock_names_the_content_of_its_second_try(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, [task] = running(desk)
    add, register, tries = counts.add, content.register, []

    def register_after_another(places: list[Place], now: Any) -> Sequence[Place]:
        # Others register contents meanwhile, so that the second try is given other ids.
        register([Place(f"{len(tries):064}", 1, 1, "packs")] * len(tries), now)
        tries.append(places)
        return register(places, now)

    def deadlock_at_first(*arguments: Any) -> None:
        if len(tries) == 1:
            raise OperationalError(1213, "Deadlock found")
        add(*arguments)

    monkeypatch.setattr(content, "register", register_after_another)
    monkeypatch.setattr(counts, "add", deadlock_at_first)
    desk.writer.put([fetched(task)])
    desk.turn()
    task.refresh_from_db()
    assert len(tries) == 2
    assert content_of(desk, task) == b"hello"


def test_a_result_that_the_fence_refuses_is_told_and_leaves_no_trace(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    _, tasks = running(desk, 2)
    stale = [fetched(task) for task in tasks]
    moves.kill([tasks[0].pk])
    desk.writer.put(stale)
    desk.turn()
    told = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [line["refused"] for line in told if "refused" in line] == [1]
    assert Task.objects.get(pk=tasks[0].pk).content_id is None
    counted = dict(Minute.objects.values_list("kind", "number"))
    assert counted == {"killed": 1, "succeeded": 1, "fenced": 1, "kept": 1}
    assert len(desk.holdings) == 0
    world.check_books()


@pytest.mark.parametrize("refused", [{"received": -1}, {"title": "\ud800"}])
def test_a_row_the_database_refuses_does_not_hold_up_its_neighbours(
    desk: Desk, refused: dict[str, Any]
) -> None:
    _, tasks = running(desk, 3)
    ends = [fetched(task) for task in tasks]
    for name, value in refused.items():
        setattr(ends[1], name, value)
    desk.writer.put(ends)
    desk.turn()
    found = [(task.state, task.error) for task in Task.objects.order_by("pk")]
    good, bad = (State.SUCCEED, ""), (State.RUNTIME_ERROR, "internal")
    assert found == [good, bad, good]
    assert Attempt.objects.count() == 3
    assert len(desk.holdings) == 0
    world.check_books()


@pytest.mark.parametrize("error", [OperationalError(2006, "gone"), OSError(28, "disk full")])
def test_what_could_not_be_written_is_kept_in_its_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    _, tasks = running(desk, 3)
    desk.writer.put(map(fetched, tasks))

    def fail(_: object) -> None:
        raise error

    with monkeypatch.context() as away:
        away.setattr(desk.writer, "_keep", fail)
        with pytest.raises(type(error)):
            desk.turn()
    assert [ended.task_id for ended in desk.writer._ended] == [task.pk for task in tasks]
    desk.turn()
    assert {task.state for task in Task.objects.all()} == {State.SUCCEED}


def test_what_is_recorded_one_by_one_is_not_recorded_again_after_a_failure(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, tasks = running(desk, 3)
    ends = [fetched(task) for task in tasks]
    ends[1].received = -1  # refused by the database, so that each is written alone
    keep = desk.writer._keep

    def gone_at_the_last(batch: Sequence[Ended]) -> list[Place]:
        if [ended.task_id for ended in batch] == [tasks[2].pk]:
            raise OperationalError(2006, "server has gone away")
        return keep(batch)

    desk.writer.put(ends)
    with monkeypatch.context() as away:
        away.setattr(desk.writer, "_keep", gone_at_the_last)
        with pytest.raises(OperationalError):
            desk.turn()
    assert [ended.task_id for ended in desk.writer._ended] == [tasks[2].pk]
    assert len(desk.holdings) == 1
    desk.turn()
    counted = dict(Minute.objects.values_list("kind", "number"))
    assert counted == {"succeeded": 2, "internal": 1, "kept": 1}
    world.check_books()


def test_of_two_results_of_a_task_that_of_its_lease_counts_alone(desk: Desk) -> None:
    _, [task] = running(desk)
    stale = fetched(task, b"stale")
    moves.rescue([task.lease_id or 0])
    world.let_come_due()
    desk.hold(*world.run())
    task.refresh_from_db()
    desk.writer.put([stale, fetched(task, b"fresh")])
    desk.turn()
    task.refresh_from_db()
    assert content_of(desk, task) == b"fresh"
    counted = dict(Minute.objects.values_list("kind", "number"))
    assert (counted["succeeded"], counted["fenced"]) == (1, 1)
    assert len(desk.holdings) == 0
    world.check_books()


def test_a_result_of_a_lease_let_go_still_counts_if_nobody_took_it_back(desk: Desk) -> None:
    _, [task] = running(desk)
    desk.writer.put([fetched(task)])
    desk.turn(settings.ENV.lease_seconds)
    task.refresh_from_db()
    assert task.state == State.SUCCEED


def test_what_a_lease_let_go_still_held_goes_back_without_a_loss(desk: Desk) -> None:
    _, [ended, cut_off] = running(desk, 2)
    desk.writer.put([fetched(ended)])
    desk.turn(settings.ENV.lease_seconds)
    cut_off.refresh_from_db()
    assert (cut_off.state, cut_off.losses) == (State.WAITING, 0)


def test_a_lease_of_another_node_does_not_go_back(desk: Desk, nodes: Callable[..., Node]) -> None:
    other = nodes("other")
    world.hand_in(f"http://{next(world.names(other))}/")
    [lease] = world.run()
    assert lease.node == other
    desk.writer.give_back([lease.pk])  # a message that went astray
    desk.turn()
    assert Task.objects.get().state == State.RUNNING


def test_a_lease_that_is_held_after_all_does_not_go_back(desk: Desk) -> None:
    _, [task] = running(desk)
    desk.writer.give_back([task.lease_id or 0])  # its message came twice, and the second failed
    desk.turn()
    task.refresh_from_db()
    assert task.state == State.RUNNING


def test_a_kill_that_is_retried_at_once_is_cut_off_all_the_same(desk: Desk) -> None:
    _, tasks = running(desk, 2)
    desk.turn()
    moves.kill([tasks[0].pk])
    moves.retry([tasks[0].pk])
    desk.turn(2)
    assert desk.cancelled == [tasks[0].pk]
    desk.turn()
    assert Kill.objects.get().confirmed_at is not None
    assert Task.objects.get(pk=tasks[0].pk).state == State.WAITING
    world.check_books()


def test_a_result_that_came_before_the_cut_confirms_the_kill(desk: Desk) -> None:
    _, tasks = running(desk, 2)
    moves.kill([tasks[0].pk])
    desk.writer.put([fetched(tasks[0])])
    desk.turn()
    assert Kill.objects.get().confirmed_at is not None
    assert Task.objects.get(pk=tasks[0].pk).state == State.KILLED


def test_what_was_cut_off_but_not_killed_goes_back_at_once(desk: Desk) -> None:
    _, tasks = running(desk, 2)
    [lease] = Lease.objects.all()
    desk.writer.cut([(lease.pk, tasks[0].pk)])
    desk.turn()
    given, kept = Task.objects.order_by("pk")
    assert (given.state, given.losses, kept.state) == (State.WAITING, 0, State.RUNNING)
    assert len(desk.holdings) == 1
    world.check_books()


def test_what_was_cut_off_under_a_lease_that_is_another_s_by_now_stays_there(desk: Desk) -> None:
    _, [task] = running(desk)
    [lease] = Lease.objects.all()
    moves.rescue([lease.pk])
    world.run()
    desk.writer.cut([(lease.pk, task.pk)])
    desk.turn()
    task.refresh_from_db()
    assert task.state == State.RUNNING
    world.check_books()


def test_what_was_cut_off_is_not_forgotten_while_the_database_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, [task] = running(desk)
    moves.kill([task.pk])

    def gone(*_: object) -> None:
        raise OperationalError(2006, "server has gone away")

    with monkeypatch.context() as away:
        away.setattr("hashworld.tasks.kills.confirm", gone)
        desk.writer.cut([(task.lease_id or 0, task.pk)])
        with pytest.raises(OperationalError):
            desk.turn()
    desk.turn()
    assert Kill.objects.get().confirmed_at is not None


def test_the_thread_ends_with_nothing_left_unwritten(desk: Desk) -> None:
    job, tasks = running(desk, 3)
    desk.writer.start()
    desk.writer.put(map(fetched, tasks))
    desk.writer.stop(timeout=20)
    job.refresh_from_db()
    assert job.succeed == 3


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("oops"), IntegrityError(1062, "Duplicate entry")]
)
def test_a_node_whose_writer_fails_for_another_reason_stops(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(desk.writer, "_flush", fail)
    desk.writer.start()
    assert desk.failed.wait(20)
    desk.writer.stop(timeout=20)


def test_the_thread_survives_a_database_that_is_away_for_a_while(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    monkeypatch.setattr("hashworld.tasks.writer.FAILED_SECONDS", 0.01)
    job, tasks = running(desk, 3)
    flush, fails = desk.writer._flush, [OperationalError(2006, "gone") for _ in range(3)]

    def fail_at_first() -> None:
        if fails:
            raise fails.pop()
        flush()

    monkeypatch.setattr(desk.writer, "_flush", fail_at_first)
    desk.writer.put(map(fetched, tasks))
    desk.writer.start()
    wait_until(lambda: Job.objects.get(pk=job.pk).finished_at)
    desk.writer.stop(timeout=20)
    assert not fails
