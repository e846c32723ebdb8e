"""A node whole but for Celery: leases in, pages fetched, and a drain that loses nothing."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import OperationalError

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import content, moves, pursuit
from hashworld.tasks.models import Attempt, Host, Job, Kill, Lease, Task
from hashworld.tasks.runner import Runner
from hashworld.tasks.states import State
from hashworld.tasks.submit import submit
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


class Site(ThreadingHTTPServer):
    """Answers at once, but for paths with "slow" in them: those wait until it is told to go on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.go_on = threading.Event()
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}).start()

    def urls(self, *paths: str) -> list[str]:
        return [f"http://127.0.0.1:{self.port}/{path}" for path in paths]

    def close(self) -> None:
        self.go_on.set()
        self.shutdown()
        self.server_close()


class Page(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        if "slow" in self.path:
            self.server.go_on.wait(30)
        status = 404 if "missing" in self.path else 200
        body = f"<title>{self.path}</title>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    site = Site()
    settings.ENV = replace(
        settings.ENV, fetch_allow_networks=["127.0.0.0/8"], fetch_ports=[site.port]
    )
    yield site
    site.close()


@pytest.fixture
def runner(site: Site, node: Node) -> Iterator[Runner]:
    runner = Runner(node)
    runner.start()
    yield runner
    if not runner._draining:
        site.go_on.set()
        runner.drain(grace=10)


def take(runner: Runner) -> int:
    return sum(runner.take(lease.pk) for lease in world.give())


Wait = Callable[..., None]


def test_what_a_lease_holds_is_fetched_and_kept(
    runner: Runner, site: Site, wait_until: Wait
) -> None:
    job = submit(site.urls("a", "b", "missing")).job
    assert take(runner) == 3
    wait_until(lambda: Job.objects.get(pk=job.pk).finished_at)
    good, _, missing = world.tasks(job)
    assert (good.state, good.status) == (State.SUCCEED, 200)
    assert good.content is not None
    assert content.read(good.content) == b"<title>/a</title>"
    assert (missing.state, missing.error) == (State.RUNTIME_ERROR, "client_error")
    assert Attempt.objects.get(task=good).title == "/a"
    world.check_books()


def test_a_lease_that_comes_twice_is_taken_once(
    runner: Runner, site: Site, wait_until: Wait
) -> None:
    job = submit(site.urls("a")).job
    [lease] = world.give()
    assert [runner.take(lease.pk), runner.take(lease.pk)] == [1, 0]
    wait_until(lambda: Job.objects.get(pk=job.pk).finished_at)
    assert Attempt.objects.count() == 1


def test_a_killed_fetch_is_cut_off(runner: Runner, site: Site, wait_until: Wait) -> None:
    job = submit(site.urls("slow")).job
    take(runner)
    wait_until(lambda: runner.in_flight == 1)
    pursuit.kill_job(job.pk)
    wait_until(lambda: runner.in_flight == 0)
    wait_until(lambda: Kill.objects.get().confirmed_at)
    wait_until(lambda: len(runner.holdings) == 0)
    assert [task.state for task in world.tasks(job)] == [State.KILLED]


def test_a_drain_lets_fetches_end_and_gives_back_what_did_not(
    runner: Runner, site: Site, wait_until: Wait
) -> None:
    job = submit(site.urls("a", "slow")).job
    take(runner)
    wait_until(lambda: Task.objects.filter(state=State.SUCCEED).exists())
    runner.drain(grace=0)
    quick, slow = world.tasks(job)
    assert quick.state == State.SUCCEED
    assert (slow.state, slow.losses, slow.attempts) == (State.WAITING, 0, 0)
    assert not Lease.objects.open().exists()
    world.check_books()


def test_a_drain_waits_for_what_ends_within_its_grace(
    runner: Runner, site: Site, wait_until: Wait
) -> None:
    job = submit(site.urls("slow")).job
    take(runner)
    wait_until(lambda: runner.in_flight == 1)
    threading.Timer(0.3, site.go_on.set).start()
    runner.drain(grace=20)
    assert [task.state for task in world.tasks(job)] == [State.SUCCEED]


def test_a_kill_that_is_seen_while_the_node_drains_ends_nothing_else(
    runner: Runner, site: Site, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(site.urls("slow1", "slow2")).job
    take(runner)
    wait_until(lambda: runner.in_flight == 2)
    cancel, told = runner._engine.cancel, threading.Event()

    def tell(keys: list[int]) -> None:
        told.set()
        cancel(keys)

    monkeypatch.setattr(runner._engine, "cancel", tell)
    # What the engine says as it stops has not come to the writer yet.
    monkeypatch.setattr(runner._writer, "cut", lambda pairs: None)
    runner._engine.stop(timeout=10)
    moves.kill([world.tasks(job)[0].pk])
    # The renewer looks for kills; the engine that it would tell has stopped.
    assert told.wait(10)
    assert runner._renewer._thread.is_alive()
    runner.drain(grace=0)
    assert [task.state for task in world.tasks(job)] == [State.KILLED, State.WAITING]


def test_a_lease_that_comes_while_the_node_drains_goes_back(runner: Runner, site: Site) -> None:
    job = submit(site.urls("a")).job
    [lease] = world.give()
    runner.drain(grace=0)
    assert runner.take(lease.pk) == 0
    [task] = world.tasks(job)
    assert (task.state, task.losses) == (State.WAITING, 0)


def test_a_lease_that_finds_the_engine_failed_goes_back_and_the_node_stops(
    runner: Runner, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = threading.Event()
    monkeypatch.setattr("hashworld.tasks.runner.stop_process", stopped.set)
    job = submit(site.urls("a")).job
    [lease] = world.give()
    runner._engine.stop(timeout=10)
    assert runner.take(lease.pk) == 0
    assert stopped.is_set()
    [task] = world.tasks(job)
    assert (task.state, task.losses) == (State.WAITING, 0)
    world.check_books()


@pytest.mark.parametrize("part", ["moves.start", "requests.load"])
def test_a_lease_whose_start_breaks_off_goes_back_once_the_database_is_back(
    runner: Runner, site: Site, wait_until: Wait, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr("hashworld.tasks.writer.FAILED_SECONDS", 0.01)
    start, release, tries = moves.start, moves.release, []

    def fail_after_the_start(lease_id: int, *_: object) -> None:
        start(lease_id, runner.node.incarnation)
        raise OperationalError(2013, "lost connection during query")

    def fail_at_first(lease_ids: list[int]) -> int:
        tries.append(lease_ids)
        if len(tries) == 1:
            raise OperationalError(2002, "can't connect")
        return release(lease_ids)

    monkeypatch.setattr(f"hashworld.tasks.{part}", fail_after_the_start)
    monkeypatch.setattr(moves, "release", fail_at_first)
    job = submit(site.urls("a")).job
    [lease] = world.give()
    with pytest.raises(OperationalError):
        runner.take(lease.pk)
    wait_until(lambda: not Lease.objects.open().exists())
    assert tries[:2] == [[lease.pk]] * 2
    [task] = world.tasks(job)
    assert (task.state, task.losses) == (State.WAITING, 0)
    world.check_books()


def test_a_response_that_cannot_be_finished_is_our_own_fault(
    runner: Runner, site: Site, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("hashworld.tasks.runner.finish", fail)
    job = submit(site.urls("a")).job
    take(runner)
    wait_until(lambda: Job.objects.get(pk=job.pk).finished_at)
    [task] = world.tasks(job)
    assert (task.state, task.error) == (State.RUNTIME_ERROR, "internal")
    assert Attempt.objects.get().detail == "ZeroDivisionError: oops"


def test_what_a_drain_cannot_give_back_does_not_keep_the_node_from_ending(
    runner: Runner, site: Site, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OperationalError(2006, "gone")

    submit(site.urls("slow"))
    take(runner)
    wait_until(lambda: runner.in_flight == 1)
    monkeypatch.setattr(moves, "release", refuse)
    monkeypatch.setattr(moves, "give_back", refuse)
    monkeypatch.setattr("hashworld.tasks.writer.FAILED_SECONDS", 0.01)
    monkeypatch.setattr("hashworld.tasks.runner.WRITE_SECONDS", 1)
    runner.drain(grace=0)
    assert runner.in_flight == 0


def test_a_message_that_comes_again_while_the_node_rests_takes_nothing_away(
    runner: Runner, site: Site, wait_until: Wait
) -> None:
    job = submit(site.urls("slow")).job
    [lease] = world.give()
    assert runner.take(lease.pk) == 1
    wait_until(lambda: runner.in_flight == 1)
    runner.rest(grace=20)
    assert runner.take(lease.pk) == 0
    site.go_on.set()
    wait_until(lambda: Job.objects.get(pk=job.pk).finished_at)
    assert [(task.state, task.attempts) for task in world.tasks(job)] == [(State.SUCCEED, 1)]


def test_a_node_that_rests_is_idle_and_takes_nothing(
    runner: Runner, site: Site, wait_until: Wait
) -> None:
    job = submit(site.urls("slow")).job
    take(runner)
    wait_until(lambda: runner.in_flight == 1)
    later = submit(site.urls("b")).job
    [lease] = world.give()
    runner.rest(grace=20)
    assert runner.take(lease.pk) == 0
    waiting = [(State.WAITING, 0)]
    wait_until(lambda: [(task.state, task.losses) for task in world.tasks(later)] == waiting)
    assert runner.figures()["draining"]
    site.go_on.set()
    wait_until(lambda: Job.objects.get(pk=job.pk).finished_at)
    assert [task.state for task in world.tasks(job)] == [State.SUCCEED], "within its grace"
    world.check_books()


def test_what_has_not_begun_goes_back_at_once_when_a_node_rests(
    runner: Runner, site: Site, wait_until: Wait
) -> None:
    Host.objects.create(
        name="127.0.0.1", land=0, max_connections=1, min_interval=0, next_at=clock.now()
    )
    job = submit(site.urls("slow1", "slow2")).job
    take(runner)
    wait_until(lambda: runner.in_flight == 1)
    runner.rest(grace=60)
    wait_until(lambda: [t.state for t in world.tasks(job)] == [State.RUNNING, State.WAITING])
    assert runner.in_flight == 1
    world.check_books()


def test_what_outlasts_the_grace_of_a_rest_goes_back_without_a_loss(
    runner: Runner, site: Site, wait_until: Wait
) -> None:
    job = submit(site.urls("slow")).job
    take(runner)
    wait_until(lambda: runner.in_flight == 1)
    runner.rest(grace=0.05)
    wait_until(lambda: [task.state for task in world.tasks(job)] == [State.WAITING])
    assert [(task.losses, task.attempts) for task in world.tasks(job)] == [(0, 0)]
    assert not Lease.objects.open().exists()
    assert runner.in_flight == 0
    world.check_books()


def test_a_node_that_resumes_takes_work_and_forgets_the_grace(
    runner: Runner, site: Site, wait_until: Wait
) -> None:
    job = submit(site.urls("slow")).job
    take(runner)
    wait_until(lambda: runner.in_flight == 1)
    runner.rest(grace=0.3)
    patience = runner._patience
    runner.resume()
    assert patience is not None
    patience.join(10)
    later = submit(site.urls("a")).job
    assert take(runner) == 1
    wait_until(lambda: Job.objects.get(pk=later.pk).finished_at)
    assert runner.in_flight == 1, "what was in flight is not cut short"
    site.go_on.set()
    wait_until(lambda: Job.objects.get(pk=job.pk).finished_at)
    assert Attempt.objects.filter(task__job=job).count() == 1


def test_a_node_can_be_made_larger_while_it_runs(
    runner: Runner, site: Site, wait_until: Wait
) -> None:
    runner.resize(1)
    submit(site.urls("slow1", "slow2", "slow3"))
    take(runner)
    wait_until(lambda: runner.in_flight == 1)
    runner.resize(3)
    wait_until(lambda: runner.in_flight == 3)
    assert runner.figures()["max_tasks"] == 3
