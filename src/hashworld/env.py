"""The environment, read once and typed: the one place that knows every variable.

Every variable may also be given as ``NAME_FILE``, the path of a file that holds the value
(Docker and systemd secrets). All mistakes are reported together, each with its variable's name.
``.env.example`` lists the variables with one sentence each; a test keeps the two alike.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from environs import EnvValidationError, FileAwareEnv, validate

PROJECT_ROOT = Path(__file__).resolve().parents[2]


class EnvironmentInvalid(Exception):
    """A variable of the environment has a value that cannot be used."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says. Times are seconds, sizes are bytes."""

    data_dir: Path
    database_url: str
    broker_url: str
    redis_url: str
    url: str
    token: str
    secret_key: str
    debug: bool
    https: bool
    allowed_hosts: list[str]
    csrf_trusted_origins: list[str]
    trusted_proxies: list[str]
    web_bind: str
    rpc_bind: str
    rpc_threads: int
    rpc_tls_cert: str
    rpc_tls_key: str
    rpc_tls_client_ca: str
    rpc_reflection: bool
    chat_bind: str
    chat_url: str
    chat_secret: str
    log_level: str
    log_format: str
    node_name: str
    node_number: int
    alive_file: str
    max_tasks: int
    drain_seconds: float
    heartbeat_seconds: float
    lease_seconds: float
    content_store: str
    keep_days: int
    keep_jobs: int
    keep_bytes: int
    metrics_token: str
    host_max_connections: int
    host_min_interval: float
    fetch_allow_networks: list[str]
    fetch_deny_networks: list[str]
    fetch_ports: list[int]
    fetch_user_agent: str
    resolver_options: str


def read() -> Environment:
    """Read and check the environment; raises EnvironmentInvalid naming every wrong variable."""
    env = FileAwareEnv(eager=False, strip_whitespace=True)
    try:
        values = _values(env)
        env.seal()
    except EnvValidationError as error:
        raise EnvironmentInvalid(_told(error.error_messages)) from error
    except ValueError as error:  # a NAME_FILE that cannot be read
        raise EnvironmentInvalid(str(error)) from error
    return Environment(**values)


def _values(env: FileAwareEnv) -> dict[str, Any]:
    data_dir = Path(env.str("HASHWORLD_DATA_DIR", str(PROJECT_ROOT / "data"))).absolute()
    return {
        "data_dir": data_dir,
        "database_url": _database_url(env, data_dir),
        "broker_url": env.str("CELERY_BROKER_URL", f"hashworld:///{data_dir}/broker.sqlite3"),
        "redis_url": env.str("REDIS_URL", ""),
        "url": env.str("HASHWORLD_URL", ""),
        "token": env.str("HASHWORLD_TOKEN", ""),
        "secret_key": env.str("DJANGO_SECRET_KEY", ""),
        "debug": env.bool("DJANGO_DEBUG", False),
        "https": env.bool("DJANGO_HTTPS", False),
        "allowed_hosts": env.list("DJANGO_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"]),
        "csrf_trusted_origins": env.list("DJANGO_CSRF_TRUSTED_ORIGINS", []),
        "trusted_proxies": env.list("DJANGO_TRUSTED_PROXIES", []),
        "web_bind": env.str("HASHWORLD_WEB_BIND", "127.0.0.1:8000"),
        "rpc_bind": env.str("HASHWORLD_RPC_BIND", "127.0.0.1:6666"),
        "rpc_threads": env.int("HASHWORLD_RPC_THREADS", 32, validate=validate.Range(4, 1000)),
        "rpc_tls_cert": env.str("HASHWORLD_RPC_TLS_CERT", ""),
        "rpc_tls_key": env.str("HASHWORLD_RPC_TLS_KEY", ""),
        "rpc_tls_client_ca": env.str("HASHWORLD_RPC_TLS_CLIENT_CA", ""),
        "rpc_reflection": env.bool("HASHWORLD_RPC_REFLECTION", False),
        "chat_bind": env.str("HASHWORLD_CHAT_BIND", "127.0.0.1:8765"),
        "chat_url": env.str("HASHWORLD_CHAT_URL", ""),
        "chat_secret": env.str("HASHWORLD_CHAT_SECRET", ""),
        "log_level": env.str("LOG_LEVEL", "INFO", validate=_one_of("DEBUG INFO WARNING ERROR")),
        "log_format": env.str("LOG_FORMAT", "console", validate=_one_of("console json")),
        "node_name": env.str("HASHWORLD_NODE_NAME", "", validate=_NODE_NAME),
        "node_number": env.int("HASHWORLD_NODE_NUMBER", 0, validate=validate.Range(0, 1000)),
        "alive_file": env.str("HASHWORLD_ALIVE_FILE", ""),
        "max_tasks": env.int("HASHWORLD_MAX_TASKS", 512, validate=validate.Range(1, 10_000)),
        "drain_seconds": env.float("HASHWORLD_DRAIN_SECONDS", 20, validate=validate.Range(0, 3600)),
        "heartbeat_seconds": env.float("HASHWORLD_HEARTBEAT_SECONDS", 5, validate=_POSITIVE),
        "lease_seconds": env.float("HASHWORLD_LEASE_SECONDS", 15, validate=_POSITIVE),
        "content_store": env.str(
            "HASHWORLD_CONTENT_STORE", "packs", validate=_one_of("packs database")
        ),
        "keep_days": env.int("HASHWORLD_KEEP_DAYS", 0, validate=validate.Range(0, 36_500)),
        "keep_jobs": env.int("HASHWORLD_KEEP_JOBS", 0, validate=validate.Range(0)),
        "keep_bytes": env.int("HASHWORLD_KEEP_BYTES", 0, validate=validate.Range(0)),
        "metrics_token": env.str("HASHWORLD_METRICS_TOKEN", ""),
        "host_max_connections": env.int(
            "HASHWORLD_HOST_MAX_CONNECTIONS", 8, validate=validate.Range(1, 1000)
        ),
        "host_min_interval": env.float(
            "HASHWORLD_HOST_MIN_INTERVAL", 0, validate=validate.Range(0, 86_400)
        ),
        "fetch_allow_networks": env.list("HASHWORLD_FETCH_ALLOW_NETWORKS", []),
        "fetch_deny_networks": env.list("HASHWORLD_FETCH_DENY_NETWORKS", []),
        "fetch_ports": env.list("HASHWORLD_FETCH_PORTS", [80, 443, 8080, 8443], subcast=int),
        "fetch_user_agent": env.str("HASHWORLD_FETCH_USER_AGENT", "HashWorld"),
        "resolver_options": env.str("RES_OPTIONS", "timeout:2 attempts:2"),
    }


def _told(mistakes: Any) -> str:
    """A line for each variable; for a list, environs tells the numbers of its wrong items."""
    return "".join(
        f"\n  {name}: "
        + " ".join(
            why if isinstance(why, str) else f"Item {why + 1} cannot be used." for why in reasons
        )
        for name, reasons in mistakes.items()
    )


#: It names a queue and files.
_NODE_NAME = validate.Regexp(
    r"[A-Za-z0-9._-]{0,64}\Z",
    error="Must be at most 64 letters, digits, dots, dashes and underscores.",
)
_POSITIVE = validate.Range(min=0.05, max=3600)


def _one_of(words: str) -> validate.OneOf:
    return validate.OneOf(words.split(), error="Must be one of: {choices}.")


def _database_url(env: FileAwareEnv, data_dir: Path) -> str:
    """DATABASE_URL, or the MYSQL_* parts that the official images use, or SQLite in the folder."""
    url: str = env.str("DATABASE_URL", "")
    if url:
        return url
    host = env.str("MYSQL_HOST", "")
    port = env.int("MYSQL_PORT", 3306)
    name = env.str("MYSQL_DATABASE", "hashworld")
    user = quote(env.str("MYSQL_USER", "hashworld"), safe="")
    password = quote(env.str("MYSQL_PASSWORD", ""), safe="")
    if host:
        return f"mysql://{user}:{password}@{host}:{port}/{name}"
    return f"sqlite:///{data_dir}/hashworld.sqlite3"
