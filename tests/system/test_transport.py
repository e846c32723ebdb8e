"""The embedded broker under real processes: Celery workers, readers and writers, and SIGKILL."""

import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from hashworld.embedded.broker import Broker, broker_at
from hashworld.embedded.transport import register
from tests.conftest import Footing

HERE = Path(__file__).parent
COUNT = 10_000
READERS = 3
NODE = "node@here"

Worker = subprocess.Popen[bytes]


@pytest.fixture(autouse=True)
def embedded(footing: Footing) -> None:
    if footing != "embedded":
        pytest.skip("is about the embedded footing")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def broker(folder: Path) -> Broker:
    return broker_at(folder / "broker.sqlite3")


@pytest.fixture
def app(folder: Path) -> Iterator[Celery]:
    """A client of the workers' application: it sends tasks by name and asks for replies."""
    register()
    app = Celery("client", broker=f"hashworld:///{folder}/broker.sqlite3", set_as_current=False)
    app.conf.task_ignore_result = True
    yield app
    app.close()


@pytest.fixture
def start_worker(folder: Path, app: Celery, wait_until) -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def start(concurrency: int) -> Worker:
        command = f"-m celery -A transport_app worker -P threads -c {concurrency} -E -n {NODE}"
        with (folder / "log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, *command.split(), *"--without-mingle --without-gossip".split()],
                cwd=HERE,
                env={**os.environ, "TRANSPORT_TEST_FOLDER": str(folder)},
                stdout=log,
                stderr=log,
            )
        workers.append(worker)
        wait_until(lambda: answers(app), message=f"no worker: see {folder / 'log'}")
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()


def answers(app: Celery) -> bool:
    return bool(app.control.ping(destination=[NODE], timeout=1))


def diary(folder: Path) -> list[str]:
    path = folder / "diary"
    return path.read_text().splitlines() if path.exists() else []


def tagged(folder: Path, word: str) -> Counter[str]:
    """How often each name is in the diary's lines that start with the word."""
    lines = [line.split() for line in diary(folder)]
    return Counter(name for verb, name in lines if verb == word)


def is_consumed(broker: Broker, queue: str) -> bool:
    sql = "SELECT 1 FROM consumers WHERE queue = :queue"
    return bool(broker.store.rows(sql, {"queue": queue}))


def send(app: Celery, task: str, name: str) -> str:
    return str(app.send_task(f"transport_app.{task}", [name], task_id=str(uuid.uuid4())).id)


def test_one_writer_and_three_readers_lose_and_double_none_of_10000_messages(
    folder: Path, broker: Broker
) -> None:
    url = f"hashworld:///{folder}/broker.sqlite3"
    files = [str(folder / f"seen-{number}") for number in range(READERS)]
    commands = [*(["read", url, file] for file in files), ["write", url, str(COUNT)]]
    script = str(HERE / "transport_traffic.py")
    processes = [subprocess.Popen([sys.executable, script, *command]) for command in commands]
    assert [process.wait(timeout=100) for process in processes] == [0] * len(processes)

    seen = [[int(line) for line in Path(file).read_text().split()] for file in files]
    assert sorted(number for numbers in seen for number in numbers) == list(range(COUNT))
    assert all(numbers == sorted(numbers) for numbers in seen), "each reader sees them in order"
    assert broker.store.rows("SELECT COUNT(*) FROM messages", {}) == [(0,)]


def test_a_killed_worker_loses_no_running_and_no_queued_task(
    folder: Path, app: Celery, broker: Broker, start_worker, wait_until
) -> None:
    names = [f"task-{number}" for number in range(6)]
    worker = start_worker(concurrency=2)
    for name in names:
        send(app, "wait_at_gate", name)
    wait_until(lambda: len(tagged(folder, "began")) == 2)
    running = set(tagged(folder, "began"))

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    ((left,),) = broker.store.rows("SELECT COUNT(*) FROM messages WHERE queue = 'celery'", {})
    assert left == 6

    (folder / "gate").touch()
    start_worker(concurrency=2)
    wait_until(lambda: len(tagged(folder, "did")) == 6)
    wait_until(lambda: broker.store.rows("SELECT 1 FROM messages WHERE queue = 'celery'", {}) == [])
    assert tagged(folder, "did") == Counter(names)
    assert tagged(folder, "began") == Counter([*names, *running])


@pytest.mark.long
def test_a_worker_that_is_asked_to_stop_finishes_its_task_and_leaves_the_rest_in_the_queue(
    folder: Path, app: Celery, broker: Broker, start_worker, wait_until
) -> None:
    worker = start_worker(concurrency=1)
    send(app, "wait_at_gate", "running")
    send(app, "wait_at_gate", "queued")
    wait_until(lambda: diary(folder) == ["began running"])
    worker.send_signal(signal.SIGTERM)
    wait_until(lambda: not is_consumed(broker, "celery"))
    (folder / "gate").touch()
    assert worker.wait(timeout=20) == 0
    assert diary(folder) == ["began running", "did running"]
    assert broker.messages.size("celery", 0) == 1
    assert broker.queues.names() == ["celery"], "what was only for the worker is gone"


@pytest.mark.long
def test_the_control_queue_of_a_killed_worker_disappears(
    app: Celery, broker: Broker, start_worker, wait_until
) -> None:
    worker = start_worker(concurrency=1)
    control_queue = f"{NODE}.celery.pidbox"
    assert broker.queues.exists(control_queue)
    worker.kill()
    worker.wait()
    app.control.broadcast("heartbeat")  # what nobody reads must not pile up
    wait_until(
        lambda: not app.control.ping(timeout=0.2) and not broker.queues.exists(control_queue)
    )
    assert {name for (name,) in broker.store.rows("SELECT queue FROM messages", {})} <= {"celery"}


def test_a_revoked_task_is_not_run(folder: Path, app: Celery, start_worker, wait_until) -> None:
    start_worker(concurrency=1)
    send(app, "wait_at_gate", "running")
    wait_until(lambda: diary(folder) == ["began running"])
    revoked = send(app, "record", "revoked")
    send(app, "record", "next")
    assert app.control.revoke(revoked, destination=[NODE], reply=True, timeout=10)
    (folder / "gate").touch()
    wait_until(lambda: "did next" in diary(folder))
    assert "did revoked" not in diary(folder)


def test_a_broadcast_reaches_every_worker_and_events_reach_who_listens(
    folder: Path, app: Celery, start_worker
) -> None:
    start_worker(concurrency=1)
    (folder / "gate").touch()
    seen: list[dict[str, Any]] = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": seen.append})
        capture = receiver.itercapture(timeout=20, wakeup=True)
        next(capture)
        task_id = send(app, "record", "a")
        while "task-succeeded" not in [event["type"] for event in seen]:
            next(capture)
    assert "worker-heartbeat" in [event["type"] for event in seen], "the broadcast asked for it"
    assert [event["uuid"] for event in seen if event["type"] == "task-succeeded"] == [task_id]
