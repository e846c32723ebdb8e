"""The supervisor, with small programs as its children."""

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from hashworld.embedded import supervisor
from hashworld.embedded.output import PrefixedOutput
from hashworld.embedded.supervisor import Child, Supervisor
from tests.conftest import WaitUntil

#: Writes its pid to the file, then runs the rest of the program.
ANNOUNCE = """
import os, pathlib, signal, subprocess, sys
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
"""
STAY = "signal.pause()"
STUBBORN = (
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\nsignal.pause()"
)


@pytest.fixture
def announced(tmp_path: Path) -> Callable[[str], int | None]:
    def pid(name: str) -> int | None:
        file = tmp_path / name
        return int(file.read_text() or 0) or None if file.exists() else None

    return pid


@pytest.fixture
def child(tmp_path: Path) -> Callable[..., Child]:
    def make(name: str, program: str = STAY) -> Child:
        command = [sys.executable, "-c", ANNOUNCE + program, str(tmp_path / name)]
        return Child(name, lambda: command)

    return make


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(supervisor, "LONGEST_DELAY", 0.04)


def output() -> tuple[PrefixedOutput, io.StringIO]:
    stream = io.StringIO()
    return PrefixedOutput(stream, ["web", "node-1"]), stream


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_what_children_say_comes_out_under_their_names(child, wait_until: WaitUntil):
    out, stream = output()
    with Supervisor(
        [child("web", "print('hello')\nprint('again', flush=True)\nsignal.pause()")], out, 5
    ):
        wait_until(lambda: "web    | hello\nweb    | again\n" in stream.getvalue())


def test_a_child_that_dies_is_started_again_and_the_reason_is_told(
    child, announced, wait_until: WaitUntil
):
    out, stream = output()
    with Supervisor([child("web")], out, 5):
        wait_until(lambda: announced("web"))
        first = announced("web")
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: announced("web") not in (first, None))
    assert "web    | killed by SIGKILL: starting it again in 0.01 s" in stream.getvalue()


def test_a_child_that_keeps_dying_is_started_ever_later_up_to_a_limit(child, wait_until: WaitUntil):
    out, stream = output()
    with Supervisor([child("web", "sys.exit(3)")], out, 5):
        wait_until(lambda: stream.getvalue().count("ended with code 3") >= 4)
    delays = [line.split(" in ")[1] for line in stream.getvalue().splitlines()[:4]]
    assert delays == ["0.01 s", "0.02 s", "0.04 s", "0.04 s"]


def test_a_command_that_does_not_exist_is_told_by_name(wait_until: WaitUntil):
    out, stream = output()
    with Supervisor([Child("web", lambda: ["/no/such/program"])], out, 5):
        wait_until(lambda: "starting it again" in stream.getvalue())
    assert "/no/such/program cannot be started: No such file or directory" in stream.getvalue()


def test_stopping_ends_every_child_and_starts_none_again(child, announced, wait_until: WaitUntil):
    out, stream = output()
    guard = Supervisor([child("web"), child("node-1")], out, 20)
    guard.start()
    wait_until(lambda: announced("web") and announced("node-1"))
    assert guard.stop() == []
    assert not alive(announced("web"))
    assert not alive(announced("node-1"))
    assert "again" not in stream.getvalue()


def test_once_told_to_stop_it_starts_nothing():
    asked = []
    out, _ = output()
    guard = Supervisor([Child("web", lambda: asked.append("a command") or ["true"])], out, 20)
    guard.kill()
    guard.start()
    assert guard.stop() == []
    assert not asked


def test_a_hurried_stop_does_not_wait_for_the_grace(child, announced, wait_until: WaitUntil):
    out, stream = output()
    guard = Supervisor([child("node-1", STUBBORN)], out, 600)
    guard.start()
    wait_until(lambda: "deaf" in stream.getvalue())
    hurry = threading.Timer(0.1, guard.kill)
    hurry.start()
    assert guard.stop() == []
    hurry.join()


def test_a_child_that_ignores_the_request_is_killed_after_the_grace(
    child, announced, wait_until: WaitUntil
):
    out, stream = output()
    guard = Supervisor([child("web"), child("node-1", STUBBORN)], out, 0.3)
    guard.start()
    wait_until(lambda: "deaf" in stream.getvalue() and announced("web"))
    assert guard.stop() == ["node-1"]
    assert not alive(announced("node-1"))


def test_what_a_dead_child_leaves_behind_is_ended_too(child, announced, tmp_path, wait_until):
    program = f"""
subprocess.Popen([sys.executable, "-c", {ANNOUNCE + STAY!r}, sys.argv[1] + "-grandchild"])
signal.pause()
"""
    out, _ = output()
    with Supervisor([child("web", program)], out, 5):
        wait_until(lambda: announced("web-grandchild"))
        grandchild = announced("web-grandchild")
        os.kill(announced("web"), signal.SIGKILL)
        wait_until(lambda: not alive(grandchild))


def test_children_vanish_with_a_supervisor_that_is_killed(tmp_path, announced, wait_until):
    program = f"""
import sys, signal
from hashworld.embedded.output import PrefixedOutput
from hashworld.embedded.supervisor import Child, Supervisor
command = [sys.executable, "-c", {ANNOUNCE + STAY!r}, {str(tmp_path / "web")!r}]
Supervisor([Child("web", lambda: command)], PrefixedOutput(sys.stdout, ["web"]), 5).start()
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", program]) as parent:
        try:
            wait_until(lambda: announced("web"))
        finally:
            parent.kill()
    wait_until(lambda: not alive(announced("web")))


def test_a_leash_whose_holder_is_gone_starts_nothing(tmp_path):
    leash = [sys.executable, "-I", "-S", supervisor.leash.__file__, "1"]
    ended = subprocess.run([*leash, "touch", tmp_path / "x"], capture_output=True, text=True)
    assert ended.stderr == "the process that started this one is gone\n"
    assert ended.returncode == 1
    assert not (tmp_path / "x").exists()
