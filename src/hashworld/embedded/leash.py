"""Become another program that dies when the process that started it dies.

Run as `python -I -S leash.py PARENT_PID COMMAND...`. The kernel keeps the promise (prctl(2),
PR_SET_PDEATHSIG), so it holds even when the parent is killed with SIGKILL. A program of its own
because code between fork and exec is not safe in a parent that has threads. It is Linux's promise
alone: elsewhere the command starts without it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Tie this process to its parent and replace it by `command`."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have died before the kernel was told.
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
