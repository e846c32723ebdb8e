"""Who this process is: a stable name, and an incarnation that is new at every start."""

import os
import re
import secrets
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil
from django.conf import settings

_UNFIT = re.compile(r"[^a-z0-9-]+")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")


def name() -> str:
    """This node's name."""
    return name_of(settings.ENV.node_number)


def name_of(number: int) -> str:
    """The name of one of this machine's nodes; 0 where there is but one.

    It is the environment's with the number, or one made once and kept in the data folder.
    """
    if settings.ENV.node_name:
        return _numbered(settings.ENV.node_name, number)
    own = _file(number)
    if number and not own.exists():
        return _numbered(name_of(0), number)
    if not own.exists():
        draft = _draft(own)
        with suppress(FileExistsError):  # another process was faster: its name is the one
            os.link(draft, own)
        draft.unlink()
    return own.read_text().strip()


def rename() -> str:
    """Give this node another name for good: another process has the one that it had."""
    own = _file(settings.ENV.node_number)
    _draft(own).replace(own)
    return own.read_text()


def incarnation() -> str:
    """A new incarnation."""
    return secrets.token_hex(8)


@cache
def boot_id() -> str:
    """What the processes that see each other's pids have in common; new at every boot."""
    try:
        return f"{_BOOT_ID.read_text().strip()}/{_PID_NAMESPACE.stat().st_ino}"
    except OSError:  # not Linux
        return f"{socket.gethostname()[:40]}/{psutil.boot_time():.0f}"


def is_gone(boot: str, pid: int) -> bool:
    """Whether an earlier process has certainly ended; False where its pid means nothing here."""
    if boot != boot_id():
        return False
    try:
        return pid == os.getpid() or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _numbered(base: str, number: int) -> str:
    return f"{base}-{number}" if number else base


def _file(number: int) -> Path:
    folder: Path = settings.DATA_DIR
    return folder / _numbered("node-name", number)


def _draft(path: Path) -> Path:
    """A file beside `path` with a new name in it, whole before anybody reads it."""
    host = _UNFIT.sub("-", socket.gethostname().lower())[:40] or "node"
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.write_text(f"{host}-{secrets.token_hex(3)}")
    return draft
