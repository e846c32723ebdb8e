"""A body lives exactly as long as an attempt names it, whoever frees and fetches at once."""

from collections.abc import Callable, Sequence
from threading import Event, Thread

import pytest
from django.db import connection, transaction

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import content, counts, moves, retention
from hashworld.tasks.content import Body, Place, freeing
from hashworld.tasks.content.packs import HEADER
from hashworld.tasks.models import Attempt, Blob, Content, Job, Pack, Task
from hashworld.tasks.states import State
from tests.integration.tasks import bodies, world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["packs", "database"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def every_body_is_there() -> None:
    """Contract C3, and that nothing is kept in vain."""
    for task in Task.objects.filter(state=State.SUCCEED):
        assert task.content_id is not None
        assert content.read(Content.objects.get(pk=task.content_id))
    named = set(Attempt.objects.exclude(content=None).values_list("content_id", flat=True))
    assert set(Content.objects.values_list("pk", flat=True)) == named
    in_database = Content.objects.filter(store="database").values_list("sha256", flat=True)
    assert set(Blob.objects.values_list("pk", flat=True)) == set(in_database)
    assert counts.kept_bytes() == sum(Content.objects.values_list("stored", flat=True))


def test_a_body_goes_with_the_last_attempt_that_names_it(node: Node, store: str) -> None:
    first, second = (bodies.fetch(store, b"shared", own) for own in (b"first", b"second"))
    assert Content.objects.count() == 3
    retention.delete_job(first.pk)
    assert Content.objects.count() == 2
    every_body_is_there()
    retention.delete_job(second.pk)
    assert not Content.objects.exists()
    every_body_is_there()


def test_what_is_freed_is_dead_space_in_its_pack(node: Node) -> None:
    job = bodies.fetch("packs", b"hello", b"world")
    [one, two] = Content.objects.all()
    retention.delete_tasks([world.tasks(job)[0].pk])
    assert Pack.objects.get().dead == HEADER + one.stored
    retention.delete_job(job.pk)
    assert Pack.objects.get().name == one.pack
    assert Pack.objects.get().dead == 2 * HEADER + one.stored + two.stored


def test_a_body_that_came_with_a_refused_result_only_is_not_kept(node: Node, store: str) -> None:
    job, ends = bodies.hand_in(b"refused", b"counted")
    kept = content.store_for(store, "one")
    desk = bodies.writer(world.tasks(job)[0], kept)
    moves.kill([ends[0].task_id])
    desk.put(ends)
    desk.run_once()
    assert Content.objects.count() == 1
    every_body_is_there()


def test_a_body_freed_after_a_flush_has_found_it_known_is_kept_anew(
    node: Node, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = bodies.fetch(store, b"shared")
    job, ends = bodies.hand_in(b"shared")
    kept = content.store_for(store, "one")
    desk = bodies.writer(world.tasks(job)[0], kept)
    known = content.known

    def known_then_freed(hashes: set[str]) -> dict[str, int]:
        found = known(hashes)
        if Job.objects.filter(pk=old.pk).exists():
            assert found
            retention.delete_job(old.pk)
        return found

    monkeypatch.setattr(content, "known", known_then_freed)
    desk.put(ends)
    desk.run_once()
    assert Task.objects.get().state == State.SUCCEED
    every_body_is_there()


def test_a_body_that_another_kept_and_freed_before_it_was_named_is_kept_all_the_same(
    node: Node, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, ends = bodies.hand_in(b"shared")
    kept = content.store_for(store, "two")
    desk = bodies.writer(world.tasks(job)[0], kept)
    keep = kept.keep

    def keep_and_see_another_come_and_go(found: Sequence[Body]) -> list[Place]:
        places = keep(found)
        monkeypatch.setattr(kept, "keep", keep)
        retention.delete_job(bodies.fetch(store, b"shared").pk)
        return places

    monkeypatch.setattr(kept, "keep", keep_and_see_another_come_and_go)
    desk.put(ends)
    desk.run_once()
    assert Task.objects.get().state == State.SUCCEED
    every_body_is_there()


class Parallel:
    """A function in a thread and a connection of its own."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self.done = Event()
        self.error: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._function()
        except BaseException as error:
            self.error = error
        finally:
            connection.close()
            self.done.set()

    def end(self) -> None:
        assert self.done.wait(20)
        self._thread.join()
        assert self.error is None


def test_freeing_waits_for_a_flush_that_is_about_to_name_the_body(node: Node, store: str) -> None:
    old = bodies.fetch(store, b"shared")
    _, ends = bodies.hand_in(b"shared")
    [kept] = Content.objects.all()
    now = clock.now()
    with transaction.atomic():
        assert content.hold([ends[0].sha256]) == {ends[0].sha256: kept.pk}
        other = Parallel(lambda: retention.delete_job(old.pk))
        assert not other.done.wait(0.5), "it cannot free what is held"
        ends[0].content_id = kept.pk
        moves.finish(ends, now)
    other.end()
    assert not Job.objects.filter(pk=old.pk).exists()
    every_body_is_there()


def test_freeing_looks_for_attempts_only_once_it_has_the_body_for_itself(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks first and locks then may miss the attempt that was written in between."""
    bodies.fetch("packs", b"shared")
    [kept] = Content.objects.all()
    Attempt.objects.all().delete()
    task = Task.objects.get()
    looks, goes = Event(), Event()

    def free_when_told() -> None:
        looks.set()
        assert goes.wait(20)
        with transaction.atomic():
            freeing.free([kept.pk], clock.now())

    other = Parallel(free_when_told)
    assert looks.wait(20)
    with transaction.atomic():
        content.hold([kept.sha256])
        goes.set()
        assert not other.done.wait(0.5)
        now = clock.now()
        Attempt.objects.create(
            task=task,
            number=1,
            lease_id=1,
            node=node,
            started_at=now,
            finished_at=now,
            content=kept,
        )
    other.end()
    assert Content.objects.filter(pk=kept.pk).exists()


def test_holders_of_one_body_do_not_wait_for_each_other(node: Node) -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite has one writer at a time")
    bodies.fetch("packs", b"shared")
    [kept] = Content.objects.all()

    def hold() -> None:
        with transaction.atomic():
            content.hold([kept.sha256])

    with transaction.atomic():
        content.hold([kept.sha256])
        Parallel(hold).end()
