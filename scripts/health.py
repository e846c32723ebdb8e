"""Whether the process of this container does its work: exit code 0 or 1, and one line why.

The role is known from process 1. A web process has to have been ready once, and to answer since;
a node or a scheduler has to have turned its loop lately. Of what has begun it is not asked that
database and broker answer: a role that waits for them is well, and replacing it brings none back.
Needs the standard library only, but for the remote calls, which are asked in their own language.
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
OK = 200

#: What a role's command line has in it, the port where it answers, and where it says that it lives.
ANSWERING = {
    "gunicorn": (8000, "/healthz"),
    "flower": (5555, "/flower/healthcheck"),
    "chatroom": (8765, "/healthz"),
}
#: Where web says that it can serve: the database answers, with the tables of this version.
READY = "/readyz"
CALLS = 6666
BEATING = ("worker", "beat")


def failure(command: list[str], alive: Path, now: float) -> str:
    """Why the process of this command line is not well; nothing when it is."""
    words = {Path(word).name for word in command}
    if "startup.sh" in words:
        return "waits for what it needs"
    for word, (port, path) in ANSWERING.items():
        if word in words:
            return unreadiness(port, alive) if word == "gunicorn" else silence(port, path)
    if "rpcserver" in words:
        return muteness(CALLS)
    if words & set(BEATING):
        return stillness(alive, now)
    return ""


def unreadiness(port: int, marker: Path) -> str:
    """Why web does not serve yet, or no longer answers; a file marks that it was ready once."""
    if marker.exists():
        return silence(port, ANSWERING["gunicorn"][1])
    reason = silence(port, READY)
    if not reason:
        marker.touch()
    return reason


def silence(port: int, path: str) -> str:
    """Why a server on this machine does not answer as it should; nothing when it does."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    # What only HTTPS may ask for is asked as the proxy would, by a name that is known.
    headers = {"Host": known_name(), "X-Forwarded-Proto": "https"}
    try:
        connection.request("GET", path, headers=headers)
        answered = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"no answer from port {port}: {error}"
    finally:
        connection.close()
    return "" if answered == OK else f"{path} answered {answered}"


def known_name() -> str:
    """The first name that web may be called by."""
    first = os.environ.get("DJANGO_ALLOWED_HOSTS", "").split(",")[0]
    return first.strip().lstrip(".*") or "localhost"


def muteness(port: int) -> str:
    """Why the remote door does not say that it serves; nothing when it does."""
    import grpc
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
    from grpc_health.v1.health_pb2_grpc import HealthStub

    if os.environ.get("HASHWORLD_RPC_TLS_CERT"):  # it may ask for a certificate, which this has not
        return deafness(port)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = HealthStub(channel).Check(HealthCheckRequest(), timeout=PATIENCE)
        except grpc.RpcError as error:
            return f"no answer from port {port}: {error.code().name}"
    serving = answer.status == HealthCheckResponse.SERVING
    return "" if serving else f"port {port} does not serve"


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
