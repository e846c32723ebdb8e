"""Numbered locks which the kernel gives back when their process ends, however it ends."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MUTEX = 0


class LockFile:
    """A file whose byte `n` is locked by the process that holds number `n` (`n` >= 1).

    POSIX record locks (`fcntl(2)`) answer "does that process still live?" without a guess: they end
    with the process, are not inherited by a fork, and know neither recycled pids nor containers.
    They belong to the process, so a process cannot test its own, and closing any descriptor
    of the file drops all of them: the one descriptor here is therefore never closed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None
        self._thread_mutex = threading.Lock()

    def hold(self, number: int) -> None:
        """Lock `number` until `release` or the end of this process; BlockingIOError if taken."""
        fcntl.lockf(self._descriptor(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)

    def release(self, number: int) -> None:
        """Unlock `number`."""
        fcntl.lockf(self._descriptor(), fcntl.LOCK_UN, 1, number)

    def is_free(self, number: int) -> bool:
        """Whether no other process holds `number`. Never ask for a number this process holds."""
        try:
            # Shared, so that two processes that ask at once do not take each other for the holder.
            fcntl.lockf(self._descriptor(), fcntl.LOCK_SH | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, as fcntl(2) leaves open
            return False
        self.release(number)
        return True

    @contextmanager
    def mutex(self) -> Iterator[None]:
        """Let one thread of one process in at a time."""
        with self._thread_mutex:
            fcntl.lockf(self._descriptor(), fcntl.LOCK_EX, 1, _MUTEX)
            try:
                yield
            finally:
                self.release(_MUTEX)

    def _descriptor(self) -> int:
        if self._fd is None:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        return self._fd
