"""What a person is told when the web server is up: where the admin is, and who may log in."""

import http.client
from io import StringIO

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

_EVERY_INTERFACE = {"0.0.0.0", "[::]"}  # noqa: S104 - names that are replaced, not bound
_LOGIN = "/admin/login/"


def admin_url(bind: str) -> str:
    """The admin's URL on this machine, when the web server is bound to `bind`, "host:port"."""
    return f"http://{_reachable(bind)}/admin/"


def answers(bind: str) -> bool:
    """Whether the web server answers, if only that it does not know this name for itself."""
    connection = http.client.HTTPConnection(_reachable(bind), timeout=5)
    try:
        connection.request("GET", _LOGIN)
        return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def box(bind: str, user: str, *, colour: bool) -> str:
    """The address and what is known of the user, in a frame."""
    stream = StringIO()
    console = Console(file=stream, force_terminal=colour, width=80)
    text = escape(f"{admin_url(bind)}\n{user}")
    console.print(Panel(text, title="HashWorld is ready", expand=False))
    return stream.getvalue()


def _reachable(bind: str) -> str:
    host, _, port = bind.rpartition(":")
    return f"127.0.0.1:{port}" if host in _EVERY_INTERFACE else bind
