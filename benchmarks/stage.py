"""Where a script runs: a folder, the target site and a set of programs, all gone at the end."""

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from benchmarks.process import Programs
from benchmarks.target import Target
from tests.program import ProgramFailed


@dataclass(frozen=True, slots=True)
class Stage:
    """What every script needs."""

    folder: Path
    programs: Programs
    target: Target


@contextmanager
def stage() -> Iterator[Stage]:
    """Set it up; whatever happens, Ctrl-C and SIGTERM included, nothing is left behind.

    A program that failed ends the script with its message.
    """
    signal.signal(signal.SIGTERM, _terminated)
    with tempfile.TemporaryDirectory(prefix="hashworld-bench-") as name:
        folder = Path(name)
        target = Target(folder)
        try:
            target.start()
            with Programs(folder) as programs:
                yield Stage(folder, programs, target)
        except ProgramFailed as error:
            sys.exit(str(error))
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)
        finally:
            target.stop()


def _terminated(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
