"""Runs a command with private services: `python -m tests.services run -- pytest`."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from tests.services.cluster import KINDS, Cluster
from tests.services.service import ServiceError

LEFT_OUT = 77  # automake's exit code for a skipped test
PATIENCE = 20.0  # seconds an interrupted command has to clean up


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.services")
    verbs = parser.add_subparsers(required=True)
    run = verbs.add_parser("run", help="start the services, run a command, stop the services")
    run.add_argument("--only", default=",".join(KINDS), help="comma-separated, of: %(default)s")
    run.add_argument("command", nargs="+", metavar="COMMAND")
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    if unknown := set(names) - set(KINDS):
        parser.error(f"--only: no service is named {', '.join(sorted(unknown))}")
    if reason := missing(names):
        print(f"this machine lacks {reason}", file=sys.stderr)
        return 1 if os.environ.get("CI") == "true" else LEFT_OUT
    signal.signal(signal.SIGTERM, terminated)
    return run_with_services(names, options.command)


def missing(names: list[str]) -> str:
    lacks = {name: KINDS[name].missing() for name in names}
    return "; ".join(f"{', '.join(what)} (for {name})" for name, what in lacks.items() if what)


def terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def run_with_services(names: list[str], command: list[str]) -> int:
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="hashworld-services-")))
    try:
        began = time.monotonic()
        cluster.start(names)
        print(f"services: {', '.join(names)} ready after {time.monotonic() - began:.1f} s")
        sys.stdout.flush()
        return run_command(command, {**os.environ, **cluster.environment()})
    except (ServiceError, FileNotFoundError) as error:
        print(f"services: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        # A second Ctrl-C must not leave servers behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        cluster.remove()


def run_command(command: list[str], environment: dict[str, str]) -> int:
    """The command's exit code; interrupted, it is given time to clean up what it started itself."""
    child = subprocess.Popen(command, env=environment)
    try:
        return child.wait()
    except SystemExit:
        child.send_signal(signal.SIGINT)
        raise
    finally:  # after Ctrl-C the terminal has told the command already
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
