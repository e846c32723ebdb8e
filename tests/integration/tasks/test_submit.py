"""Contract C1 and C10: what submit promises once it has answered, and when it refuses."""

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from itertools import count
from threading import Barrier, Thread

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import dispatcher, pursuit, rows
from hashworld.tasks import submit as submitting
from hashworld.tasks.dispatcher import Dispatcher
from hashworld.tasks.errors import InvalidInput, SubmissionBusy, SubmissionLost
from hashworld.tasks.lanes import lane_of
from hashworld.tasks.models import Duplicates, Host, Job, Priority, Task
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import State
from hashworld.tasks.submit import (
    ABANDONED,
    CHUNK,
    CHUNK_SECONDS,
    Submission,
    abandon_stale,
    submit,
    url_hash,
)
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)

URL = "http://a.example/"


def cut_off(key: str = "k") -> Job:
    """What a submission leaves that died after its first chunk, long ago."""
    job = submit(world.pages(3), JobSpec(idempotency_key=key)).job
    longago = clock.now() - 2 * ABANDONED
    Job.objects.filter(pk=job.pk).update(sealed_at=None, touched_at=longago)
    return job


def test_what_is_answered_is_committed() -> None:
    found: list[tuple[int, int]] = []

    def look(job_id: int) -> None:
        # Another thread has another connection: it sees what is committed and no more.
        found.append((Job.objects.get(pk=job_id).waiting, Task.objects.count()))
        connection.close()

    job = submit(world.pages(3)).job
    thread = Thread(target=look, args=(job.pk,))
    thread.start()
    thread.join()
    assert found == [(3, 3)]
    world.check_books()


def test_a_submission_needs_no_broker(monkeypatch: pytest.MonkeyPatch, node: Node) -> None:
    given: list[int] = []

    def away(*_: object) -> int:
        raise OSError("connection refused")

    monkeypatch.setattr(dispatcher, "dispatch", away)
    monkeypatch.setattr(dispatcher, "nudge", lambda: given.append(Dispatcher().run_once()))
    assert submit([URL]).accepted == 1
    assert set(given) == {0}


def test_the_job_and_its_tasks_are_as_they_were_asked_for() -> None:
    owner = User.objects.create_user("ann")
    job = submit([URL], JobSpec(name="n", priority=Priority.HIGH, max_attempts=7), owner).job
    assert (job.name, job.owner, job.priority, job.max_attempts) == ("n", owner, 2, 7)
    [task] = world.tasks(job)
    lane = lane_of(Priority.HIGH, owner.pk)
    assert (task.url, task.state, task.lane) == (URL, State.WAITING, lane)
    assert task.due_at == job.created_at
    assert task.url_hash == url_hash("HTTP://A.example:80/#top")


def test_cut_off_submissions_are_found_without_reading_all_that_runs() -> None:
    now = clock.now()
    old = {"created_at": now, "touched_at": now - 2 * ABANDONED}
    Job.objects.bulk_create(Job(sealed_at=now, **old) for _ in range(500))
    stale = Job.objects.create(**old)
    Job.objects.create(created_at=now, touched_at=now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE tasks_job" if connection.vendor == "mysql" else "ANALYZE")
    found = Job.objects.cut_off(now - ABANDONED)
    assert list(found) == [stale]
    assert "job_unsealed" in found.explain()


def test_a_repeat_with_the_same_key_is_the_same_job() -> None:
    first = submit([URL], JobSpec(idempotency_key="k"))
    again = submit(["http://other.example/"], JobSpec(idempotency_key="k"))
    assert (again.job.pk, again.repeated, again.accepted) == (first.job.pk, True, 1)
    assert Task.objects.count() == 1


def test_keys_of_other_owners_or_in_other_case_are_other_keys() -> None:
    ann, bob = User.objects.create_user("ann"), User.objects.create_user("bob")
    jobs = [
        submit([URL], JobSpec(idempotency_key=key), owner).job.pk
        for key, owner in [("k", ann), ("k", bob), ("k", None), ("K", None), ("k ", None)]
    ]
    assert len(set(jobs)) == 5


def test_a_key_that_is_being_submitted_is_busy() -> None:
    def urls() -> Iterator[str]:
        yield from world.pages(CHUNK)
        with pytest.raises(SubmissionBusy):
            submit([URL], JobSpec(idempotency_key="k"))
        yield URL

    assert submit(urls(), JobSpec(idempotency_key="k")).accepted == CHUNK + 1
    assert Job.objects.count() == 1


def test_two_submissions_of_one_key_at_the_same_moment_make_one_job() -> None:
    answers: list[Submission | SubmissionBusy] = []
    meet = Barrier(2)

    def urls() -> Iterator[str]:
        # Both have seen that the key is unknown before either writes.
        meet.wait(10)
        yield URL

    def hand_in() -> None:
        try:
            answers.append(submit(urls(), JobSpec(idempotency_key="k")))
        except SubmissionBusy as busy:
            answers.append(busy)
        finally:
            connections.close_all()

    threads = [Thread(target=hand_in) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    jobs = {answer.job.pk for answer in answers if isinstance(answer, Submission)}
    assert len(answers) == 2
    assert len(jobs) == Job.objects.count() == Task.objects.count() == 1


def test_what_a_cut_off_submission_left_makes_way_for_its_repeat() -> None:
    left = cut_off()
    again = submit([URL], JobSpec(idempotency_key="k"))
    assert not again.repeated
    assert again.job.pk != left.pk
    left.refresh_from_db()
    assert (left.killed, left.idempotency_key) == (3, None)
    assert left.finished_at is not None
    world.check_books()


def test_a_cut_off_submission_is_taken_down_without_a_repeat_too() -> None:
    left = cut_off()
    submit([URL])
    assert abandon_stale(clock.now()) == 1
    assert {task.state for task in world.tasks(left)} == {State.KILLED}
    assert abandon_stale(clock.now()) == 0
    world.check_books()


def test_a_submission_that_was_taken_down_adds_nothing_more() -> None:
    def urls() -> Iterator[str]:
        yield from world.pages(CHUNK)
        Job.objects.update(touched_at=clock.now() - 2 * ABANDONED)
        abandon_stale(clock.now())
        yield from world.pages(3, "b.example")

    with pytest.raises(SubmissionLost, match="60 s"):
        submit(urls())
    assert not Task.objects.exclude(state=State.KILLED).exists()
    world.check_books()


def test_urls_that_come_slowly_are_written_before_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = count(step=CHUNK_SECONDS / 4)
    monkeypatch.setattr("hashworld.tasks.rows.monotonic", lambda: next(seconds))
    written = []

    def urls() -> Iterator[str]:
        for url in world.pages(12):
            written.append(Task.objects.count())
            yield url

    submit(urls())
    assert written[-1] > 0
    assert Task.objects.count() == 12


def test_urls_that_end_in_an_error_leave_nothing_that_runs(node: Node) -> None:
    def urls() -> Iterator[str]:
        yield from world.pages(CHUNK + 5)
        raise ConnectionResetError("the upload broke off")

    with pytest.raises(ConnectionResetError):
        submit(urls(), JobSpec(idempotency_key="k"))
    assert not Task.objects.exclude(state=State.KILLED).exists()
    assert world.give() == []
    assert not submit([URL], JobSpec(idempotency_key="k")).repeated
    world.check_books()


def test_lines_that_cannot_be_fetched_are_told_by_their_numbers() -> None:
    answer = submit(["nonsense", URL, (40, "ftp://a.example/"), (41, "http://b.example/")])
    assert (answer.accepted, answer.refused) == (2, 2)
    assert [(error.line, error.value) for error in answer.errors] == [
        (1, "nonsense"),
        (40, "ftp://a.example/"),
    ]
    assert all(error.reason for error in answer.errors)
    assert (answer.job.refused, answer.job.waiting) == (2, 2)


def test_line_numbers_run_on_from_chunk_to_chunk() -> None:
    urls = world.pages(CHUNK + 10)
    urls[CHUNK + 3] = "nonsense"
    assert [error.line for error in submit(urls).errors] == [CHUNK + 4]


def test_no_more_refused_lines_than_a_bound_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "MAX_ERRORS", 2)
    answer = submit([URL, *["nonsense"] * 5])
    assert (answer.refused, len(answer.errors)) == (5, 2)


@pytest.mark.parametrize(
    ("urls", "reason"),
    [([], "at least one URL"), (["nonsense"], "line 1"), ([(7, "ftp://x/")], "line 7")],
)
def test_without_one_good_line_nothing_is_changed(
    urls: list[str | tuple[int, str]], reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason) as caught:
        submit(urls)
    assert caught.value.field == "urls"
    assert not Job.objects.exists()
    assert not Host.objects.exists()


def test_a_wrong_option_changes_nothing() -> None:
    with pytest.raises(InvalidInput, match="max_attempts"):
        submit([URL], JobSpec(max_attempts=0))
    assert not Job.objects.exists()


def test_duplicates_are_kept_unless_one_is_asked_for() -> None:
    answer = submit([URL, URL, f"{URL}#top"])
    assert (answer.accepted, answer.duplicated) == (3, 0)


def test_one_of_each_canonical_url_is_kept_across_chunks_too() -> None:
    urls = [f"{URL}?a=1&b=2", *world.pages(CHUNK), *world.pages(CHUNK), f"{URL}?b=2&a=1", URL, URL]
    answer = submit(urls, JobSpec(duplicates=Duplicates.ONE))
    assert (answer.accepted, answer.duplicated) == (CHUNK + 2, CHUNK + 2)
    answer.job.refresh_from_db()
    assert (answer.job.duplicated, answer.job.waiting) == (CHUNK + 2, CHUNK + 2)
    assert max(Counter(Task.objects.values_list("url_hash", flat=True)).values()) == 1
    assert Task.objects.filter(url=f"{URL}?a=1&b=2").exists(), "the first is the one that stays"


def test_another_jobs_urls_are_no_duplicates() -> None:
    submit([URL])
    assert submit([URL], JobSpec(duplicates=Duplicates.ONE)).accepted == 1


def test_a_job_killed_while_it_is_handed_in_is_finished_once_it_is_sealed() -> None:
    def urls() -> Iterator[str]:
        yield from world.pages(CHUNK // rows.FIRST)
        pursuit.kill_job(Job.objects.get().pk)
        yield "nonsense"

    job = submit(urls()).job
    assert job.finished_at is not None
    world.check_books()


def test_fifty_thousand_urls_need_little_memory() -> None:
    urls = (f"http://h{i % 50}.example/{i}" for i in range(50_000))
    submit(world.pages(CHUNK))  # what is loaded at first use is not counted
    tracemalloc.start()
    try:
        answer = submit(urls)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.accepted == 50_000
    assert peak < 12 * 2**20


def test_a_new_host_gets_its_land_and_the_default_limits() -> None:
    submit([URL])
    host = Host.objects.get()
    assert (host.name, host.max_connections, host.min_interval) == ("a.example", 8, 0)
    assert (host.ahead, host.out, host.paused) == (8 * 16, 0, False)
