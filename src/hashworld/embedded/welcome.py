"""What a person is told when the web server is up: where the admin is, and who may log in."""

import http.client
from io import StringIO

from rich.console import Console
from rich.panel import Panel

_EVERY_INTERFACE = {"0.0.0.0", "[::]"}  # noqa: S104 - names that are replaced, not bound
_LOGIN = "/admin/login/"


def admin_url(bind: str) -> str:
    """The admin's URL on this machine, when the web server is bound to `bind`, "host:port"."""
    return f"http://{_reachable(bind)}/admin/"


def answers(bind: str) -> bool:
    """Whether the admin can be logged in to."""
    connection = http.client.HTTPConnection(_reachable(bind), timeout=5)
    try:
        connection.request("GET", _LOGIN, headers={"Host": "localhost"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def box(bind: str, user: str, *, colour: bool) -> str:
    """The address and what is known of the user, in a frame."""
    console = Console(file=StringIO(), force_terminal=colour, width=80)
    console.print(Panel(f"{admin_url(bind)}\n{user}", title="HashWorld is ready", expand=False))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def _reachable(bind: str) -> str:
    host, _, port = bind.rpartition(":")
    return f"127.0.0.1:{port}" if host in _EVERY_INTERFACE else bind
