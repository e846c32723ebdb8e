"""Who this process is: a stable name, and an incarnation that is new at every start."""

import re
import secrets
import socket
from pathlib import Path

from django.conf import settings

_UNFIT = re.compile(r"[^a-z0-9-]+")


def name() -> str:
    """The node's name: from the environment, or one made once and kept in the data folder."""
    if settings.ENV.node_name:
        return str(settings.ENV.node_name)
    path: Path = settings.DATA_DIR / "node-name"
    if not path.exists():
        host = _UNFIT.sub("-", socket.gethostname().lower())[:40] or "node"
        path.write_text(f"{host}-{secrets.token_hex(3)}")
    return path.read_text().strip()


def incarnation() -> str:
    """A new incarnation."""
    return secrets.token_hex(8)
