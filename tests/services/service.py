"""One server process in a folder of its own, which another Python process can find again."""

import json
import os
import random
import secrets
import shutil
import signal
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import psutil

POLL = 0.02  # seconds
LOG_TAIL = 2000  # characters
CLOCK_STEP = 5.0  # seconds; a process's time of birth moves with corrections of the clock


class ServiceError(Exception):
    """A service did not start or stop; the message ends with the end of its log."""


@dataclass
class State:
    """What another process needs to find a service: written to `state.json` in its folder."""

    port: int
    password: str
    pid: int = 0
    born: float = 0.0  # seconds since the epoch, tells the process from a later one with its pid


class Service(ABC):
    """A server with one port at 127.0.0.1; port, password and data outlive its processes.

    Every method may be called from any process that knows the folder, and again without harm.
    """

    name: ClassVar[str]
    binaries: ClassVar[tuple[str, ...]]

    def __init__(self, root: Path) -> None:
        self.folder = root / self.name

    @property
    @abstractmethod
    def url(self) -> str:
        """How HashWorld's settings name this service."""

    @abstractmethod
    def is_up(self) -> bool:
        """Whether it answers a client that logs in, within about two seconds."""

    @abstractmethod
    def prepare(self) -> None:
        """Write configuration and first data into the new folder."""

    @abstractmethod
    def command(self) -> list[str]:
        """The server's command line; it must stay in the foreground."""

    def environment(self) -> Mapping[str, str]:
        """What the server's environment has beside this process's own."""
        return {}

    @classmethod
    def missing(cls) -> list[str]:
        """The needed programs this machine lacks."""
        return [name for name in cls.binaries if find_binary(name) is None]

    @property
    def port(self) -> int:
        return self.state.port

    @property
    def password(self) -> str:
        return self.state.password

    @property
    def state(self) -> State:
        """The state on disk; made, with the folder, at first use."""
        path = self.folder / "state.json"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(State(port=free_port(), password=secrets.token_hex(12)))
        return State(**json.loads(path.read_text()))

    def start(self, timeout: float = 180.0) -> None:
        """Return once the service answers; raises ServiceError after `timeout` seconds."""
        if not self.is_running():
            self._spawn()
        if not comes_true(lambda: self.is_up() or not self.is_running(), timeout):
            self.kill()
            raise ServiceError(f"{self.name} gave no answer in {timeout} s: {self._log_tail()}")
        if not self.is_running():
            raise ServiceError(f"{self.name} ended while starting: {self._log_tail()}")

    def stop(self, timeout: float = 60.0) -> None:
        """Ask it to end (SIGTERM) and wait; kill it after `timeout` seconds."""
        self._signal(signal.SIGTERM)
        if not comes_true(lambda: not self.is_running(), timeout):
            self.kill()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL), and wait until its port is free again."""
        self._signal(signal.SIGKILL)
        if not comes_true(lambda: not self.is_running(), 10.0):
            raise ServiceError(f"{self.name} survived SIGKILL")

    def is_running(self) -> bool:
        """Whether any process of the service is alive, answering or not."""
        return bool(self._processes())

    def _spawn(self) -> None:
        state = self.state
        if not (self.folder / "prepared").exists():
            self.prepare()
            (self.folder / "prepared").touch()
        command = self.command()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        # A process group of its own keeps the terminal's Ctrl-C away and lets one signal reach all
        # of a server's processes. subprocess.Popen would warn when a test lets go of a live server.
        state.pid = os.posix_spawn(
            command[0],
            command,
            {**os.environ, **self.environment()},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.folder / "log"), flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setpgroup=0,
        )
        state.born = psutil.Process(state.pid).create_time()
        self._write(state)

    def _processes(self) -> list[psutil.Process]:
        """The living members of the process group; zombies of another parent are dead enough."""
        state = self.state
        if not state.pid or is_another(state):
            return []
        with suppress(ChildProcessError):  # it may be another process's child
            os.waitpid(state.pid, os.WNOHANG)
        return [p for p in psutil.process_iter() if is_member(p, state.pid)]

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running():
            os.killpg(self.state.pid, number)

    def _write(self, state: State) -> None:
        draft = self.folder / "state.draft"
        draft.write_text(json.dumps(asdict(state)))
        draft.replace(self.folder / "state.json")

    def _log_tail(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-LOG_TAIL:]


def is_member(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def is_another(state: State) -> bool:
    """Whether the pid has been given to another process since."""
    try:
        return abs(psutil.Process(state.pid).create_time() - state.born) > CLOCK_STEP
    except psutil.NoSuchProcess:
        return False  # a group may outlive its leader; no new process gets its number until then


def comes_true(condition: Callable[[], object], timeout: float) -> bool:
    """Wait for the condition, at most `timeout` seconds; whether it came true."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(POLL)
    return True


def find_binary(name: str) -> str | None:
    """A program's path; servers often live where a plain user's PATH does not look."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A free port; below the range of outgoing connections, so that a restart finds it free."""
    while True:
        port = random.randint(20000, 32000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
