"""The doors that one machine opens beside the admin: remote calls, and the chatroom."""

import sys
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User

from hashworld.api import chat, tokens
from hashworld.api.models import Token
from hashworld.embedded import ports
from hashworld.embedded.supervisor import Child
from hashworld.verbs.rights import Scope

#: What a door needs beyond HashWorld's own requirements.
_NEEDS = {"rpc": ("grpc",), "chatroom": ("grpc", "websockets", "msgspec")}
_MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
TOKEN_NAME = "the chatroom of make run"  # noqa: S105 - what it is called


def require_free() -> None:
    """Raises AddressUnusable, naming the variable to change."""
    ports.require_free(settings.ENV.rpc_bind, "HASHWORLD_RPC_BIND")
    ports.require_free(settings.ENV.chat_bind, "HASHWORLD_CHAT_BIND")


def children() -> list[Child]:
    """The doors for which everything is installed; the database must be prepared."""
    made = {"rpc": rpc, "chatroom": chatroom}
    return [made[name]() for name, needs in _NEEDS.items() if all(map(find_spec, needs))]


def rpc() -> Child:
    """The remote calls."""
    command = [sys.executable, str(_MANAGE), "rpcserver"]
    return Child("rpc", lambda: command)


def chatroom() -> Child:
    """The chatroom, in memory unless there is a Redis."""
    command = [sys.executable, "-m", "chatroom"]
    return Child("chatroom", lambda: command, chatroom_environment())


def chatroom_environment() -> dict[str, str]:
    """What the chatroom has to know of HashWorld."""
    env = settings.ENV
    # Trusting the very certificate is enough; what it is of is nobody's business here.
    tls = {"CHATROOM_RPC_TLS_CA_FILE": env.rpc_tls_cert} if env.rpc_tls_cert else {}
    return {
        **tls,
        "PYTHONPATH": str(_MANAGE.parent),
        "CHATROOM_BIND": env.chat_bind,
        "CHATROOM_REDIS_URL": env.redis_url,
        "CHATROOM_SECRET": chat.key(),
        "CHATROOM_ORIGINS": ",".join(origins(env.web_bind, env.csrf_trusted_origins)),
        "CHATROOM_RPC": env.rpc_bind,
        "CHATROOM_TOKEN": "" if env.redis_url else _events_token(),
        "LOG_LEVEL": env.log_level,
        "LOG_FORMAT": env.log_format,
    }


def origins(web_bind: str, trusted: list[str]) -> list[str]:
    """Where the admin's pages may be called from: its address, by name too, and what is trusted."""
    host, _, port = web_bind.rpartition(":")
    local = host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]")  # noqa: S104
    hosts = {host, "127.0.0.1", "localhost"} if local else {host}
    return sorted({f"http://{name}:{port}" for name in hosts} | set(trusted))


def _events_token() -> str:
    """A new token to read all events with; those of earlier runs go."""
    Token.objects.filter(name=TOKEN_NAME).delete()
    reader = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if reader is None:
        return ""  # the rooms of the cluster stay silent, all else works
    return tokens.issue(reader, TOKEN_NAME, [Scope.READ.value])[1]
