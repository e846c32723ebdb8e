"""Whether the process of this container does its work: exit code 0 or 1, and one line why.

The role is known from process 1. A web process has to answer; a node or a scheduler has to have
turned its loop lately. That database and broker answer is not asked: a role that waits for them is
well, and replacing it would bring neither back. Needs the standard library only.
"""

import os
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socket import create_connection

#: Seconds that the file of a process at work may be old: a lease's length and a beat.
STALE = 20.0
PATIENCE = 4.0

#: What a role's command line has in it, the port where it answers, and with what.
ANSWERING = {
    "gunicorn": (8000, "/admin/login/", 200),
    "flower": (5555, "/flower/healthcheck", 200),
    "chatroom": (8765, "/healthz", 200),
}
BEATING = ("worker", "beat")


def failure(command: list[str], alive: Path, now: float) -> str:
    """Why the process of this command line is not well; nothing when it is."""
    words = {Path(word).name for word in command}
    if "startup.sh" in words:
        return "waits for what it needs"
    for word, (port, path, status) in ANSWERING.items():
        if word in words:
            return silence(port, path, status)
    if "rpcserver" in words:
        return deafness(6666)
    if words & set(BEATING):
        return stillness(alive, now)
    return ""


def silence(port: int, path: str, status: int) -> str:
    """Why a server on this machine does not answer as it should; nothing when it does."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        # What only HTTPS may ask for is asked as the proxy would.
        connection.request("GET", path, headers={"Host": "localhost", "X-Forwarded-Proto": "https"})
        answered = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"no answer from port {port}: {error}"
    finally:
        connection.close()
    return "" if answered == status else f"{path} answered {answered}"


def deafness(port: int) -> str:
    """Why nobody seems to listen on a port of this machine; nothing when somebody does."""
    try:
        create_connection(("127.0.0.1", port), PATIENCE).close()
    except OSError as error:
        return f"no answer from port {port}: {error}"
    return ""


def stillness(alive: Path, now: float) -> str:
    """Why a node or scheduler seems to stand still; nothing when it does not."""
    try:
        age = now - alive.stat().st_mtime
    except OSError:
        return "not at work yet"
    return f"last at work {age:.0f} s ago" if age > STALE else ""


def main() -> int:
    """Look at process 1."""
    command = Path("/proc/1/cmdline").read_text().split("\0")
    alive = Path(os.environ.get("HASHWORLD_ALIVE_FILE", "alive"))
    reason = failure(command, alive, time.time())
    if reason:
        print(reason)
    return int(bool(reason))


if __name__ == "__main__":
    sys.exit(main())
