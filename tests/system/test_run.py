"""`manage.py run`, `fetch` and `demo` with real processes, on the embedded footing."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from hashworld.embedded import demo
from tests.conftest import Footing, WaitUntil

MANAGE = [sys.executable, str(Path(__file__).parents[2] / "src" / "manage.py")]
UP = "HashWorld is ready"

pytestmark = pytest.mark.timeout(600)


class Running(NamedTuple):
    process: "subprocess.Popen[bytes]"
    log: Path
    environment: dict[str, str]

    def said(self, text: str) -> bool:
        return text in self.log.read_text()

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def node(self) -> psutil.Process:
        (node,) = (process for process in self.family() if "worker" in process.cmdline())
        return node


class Stage:
    """A folder, an environment and the processes started in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = demo.environment(os.environ, folder / "data", with_site=True)
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> Running:
        log = self.folder / f"{arguments[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*MANAGE, *arguments], env=self.environment, stdout=output, stderr=output
            )
        self._started.append(process)
        return Running(process, log, self.environment)

    def run(self, wait_until: WaitUntil) -> Running:
        """Everything up, with one node."""
        here = self.start("run", "--nodes", "1")
        wait_until(lambda: here.said(UP) and here.said("node ready"), timeout=180)
        return here

    def clear(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()


@pytest.fixture(scope="module", autouse=True)
def embedded(footing: Footing) -> None:
    if footing != "embedded":
        pytest.skip("is about the embedded footing")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.clear()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, wait_until: WaitUntil) -> Iterator[Running]:
    """One run for those tests that leave it running."""
    stage = Stage(tmp_path_factory.mktemp("run"))
    yield stage.run(wait_until)
    stage.clear()


def manage(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*MANAGE, *arguments], env=environment, capture_output=True, text=True, timeout=200
    )


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_run_tells_where_the_admin_is_and_who_may_log_in(running: Running):
    text = running.log.read_text()
    assert f"http://{running.environment['HASHWORLD_WEB_BIND']}/admin/" in text
    assert len(re.findall(r"Password \(shown this once\): \S{16,}", text)) == 1


def test_what_is_handed_in_is_fetched(running: Running, tmp_path: Path):
    port = running.environment["HASHWORLD_FETCH_PORTS"]
    urls = [f"http://127.0.0.2:{port}/{name}/1" for name in ("gzip", "busy-once")]
    with subprocess.Popen([sys.executable, "-m", "hashworld.embedded.site", port]) as site:
        told = manage(running.environment, "fetch", "--json", "--output", str(tmp_path), *urls)
        site.kill()
    assert told.returncode == 0, told.stderr
    page, healed = map(json.loads, told.stdout.splitlines())
    assert (page["state"], page["status"], page["title"]) == ("succeed", 200, "Page 1 of 127.0.0.2")
    body = (tmp_path / f"{page['task']}.html").read_bytes()
    assert (len(body), hashlib.sha256(body).hexdigest()) == (page["size"], page["sha256"])
    assert (healed["state"], healed["title"]) == ("succeed", "Page 1 of 127.0.0.2")


def test_a_second_run_is_told_which_variable_to_change(running: Running):
    told = manage(running.environment, "run")
    assert told.returncode == 1
    bind = running.environment["HASHWORLD_WEB_BIND"]
    expected = f"CommandError: {bind} is in use: set HASHWORLD_WEB_BIND to another address\n"
    assert told.stderr == expected


@pytest.mark.long
def test_interrupting_fetch_leaves_the_job_to_the_nodes(
    running: Running, tmp_path: Path, wait_until: WaitUntil
):
    # Nobody listens there, so the tries go on for a while.
    url = f"http://127.0.0.2:{running.environment['HASHWORLD_FETCH_PORTS']}/"
    command = [*MANAGE, "fetch", url, "--max-attempts", "20"]
    log = tmp_path / "fetch.log"
    with log.open("wb") as output:
        fetch = subprocess.Popen(command, env=running.environment, stderr=output)
    wait_until(lambda: "of 1 done" in log.read_text(), timeout=180)
    fetch.send_signal(signal.SIGINT)
    assert fetch.wait(20) == 130
    assert re.search(r"job \d+ goes on; kill it on its page in the admin", log.read_text())


def test_a_node_that_is_killed_is_started_again(running: Running, wait_until: WaitUntil):
    first = running.node()
    first.kill()
    wait_until(lambda: running.log.read_text().count("node ready") == 2, timeout=180)
    assert running.said("killed by SIGKILL: starting it again in 1 s")
    assert running.node().pid != first.pid


def test_run_stops_cleanly(stage: Stage, wait_until: WaitUntil):
    running = stage.run(wait_until)
    family = running.family()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(60) == 0
    assert not alive(family)
    assert not running.said("Traceback")


@pytest.mark.long
def test_nothing_outlives_a_run_that_is_killed(stage: Stage, wait_until: WaitUntil):
    running = stage.run(wait_until)
    family = running.family()
    assert len(family) >= 4
    running.process.kill()
    wait_until(lambda: not alive(family), timeout=20)


def test_an_option_that_does_not_exist_is_told_in_one_line(stage: Stage):
    told = manage(stage.environment, "fetch", "--bogus", "http://example.com/")
    assert told.returncode == 2
    assert told.stderr.splitlines() == [
        "unrecognized arguments: --bogus (see manage.py fetch --help)"
    ]


def test_fetch_before_anything_was_prepared_says_what_to_do(stage: Stage):
    told = manage(stage.environment, "fetch", "http://example.com/", "--timeout", "5")
    assert told.returncode == 3
    assert "`make run` prepares it" in told.stderr
    assert "Traceback" not in told.stderr


def test_the_demo_checks_itself_and_keeps_what_it_is_told_to_keep(tmp_path: Path):
    folder = tmp_path / "kept"
    told = manage(dict(os.environ), "demo", "--count", "200", "--keep", str(folder))
    assert told.returncode == 0, told.stdout + told.stderr
    assert "200 of 200 ended as expected" in told.stdout
    assert f"HASHWORLD_DATA_DIR={folder} make run" in told.stdout
    assert (folder / "hashworld.sqlite3").exists()
    assert "node ready" in (folder / demo.LOG).read_text()


@pytest.mark.long
def test_the_demo_fetches_a_list_of_the_readers_own_and_leaves_nothing_behind(tmp_path: Path):
    file = tmp_path / "urls.txt"
    file.write_text("# loopback is denied where there is no site of the demo\nhttp://127.0.0.1/\n")
    told = manage({**os.environ, "TMPDIR": str(tmp_path)}, "demo", "--file", str(file))
    assert told.returncode == 0, told.stdout + told.stderr
    assert "address_denied" in told.stdout
    assert "1 URLs in, 1 at their end, 0 fetched" in told.stdout
    assert list(tmp_path.iterdir()) == [file]


def test_the_demo_refuses_a_file_that_is_no_list_before_anything_starts():
    told = manage(dict(os.environ), "demo", "--file", sys.executable)
    assert told.returncode == 2
    assert "line 1 is binary" in told.stderr


@pytest.mark.long
def test_an_interrupted_demo_cleans_up(stage: Stage, wait_until: WaitUntil):
    stage.environment["TMPDIR"] = str(stage.folder)
    here = stage.start("demo", "--serve", "--count", "1")
    wait_until(lambda: here.said(UP), timeout=120)
    family = here.family()
    here.process.send_signal(signal.SIGTERM)
    assert here.process.wait(60) == 130
    assert not alive(family)
    assert not list(stage.folder.glob("hashworld-demo-*"))
