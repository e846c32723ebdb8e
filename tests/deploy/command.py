"""Commands of the machine, and the time between two of them."""

import subprocess
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def run(*command: str, check: bool = True, **options: Any) -> str:
    """What a command says; raises AssertionError with it when the command fails."""
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600, **options
    )
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def pause() -> None:
    """Asking starts a process: not fifty times a second."""
    threading.Event().wait(1)
