"""The chatroom's environment, read once and typed. Every variable may be given as NAME_FILE."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from chatroom.core.limits import DEFAULT, Limits

LEAST_SECRET = 16


class ConfigInvalid(Exception):
    """Variables that cannot be used; the message has a line for each."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How the remote calls are reached; certificates and key are PEM text."""

    ca: str  # whom the server's certificate must be of
    cert: str = ""  # our own, where the server wants one
    key: str = ""
    name: str = ""  # what the server's certificate says, if not the host that is called


@dataclass(frozen=True, slots=True)
class Config:
    """What the environment says."""

    host: str
    port: int
    redis_url: str  # empty: in memory, one instance
    secret: str
    origins: tuple[str, ...]
    rpc: str  # host:port; empty: no commands
    token: str  # with which the cluster's events are read where there is no Redis
    trust_proxy: bool
    metrics_token: str
    log_level: str
    log_format: str
    limits: Limits
    rpc_tls: Tls | None = None  # None: remote calls go in plain text


def read(environment: Mapping[str, str]) -> Config:
    """Raises ConfigInvalid that names every variable that is wrong."""
    wrong: list[str] = []
    values = _Values(environment, wrong)
    host, port = values.address("CHATROOM_BIND", "127.0.0.1:8765")
    config = Config(
        host=host,
        port=port,
        redis_url=values.text("CHATROOM_REDIS_URL"),
        secret=values.secret("CHATROOM_SECRET"),
        origins=values.origins("CHATROOM_ORIGINS"),
        rpc=values.text("CHATROOM_RPC"),
        token=values.text("CHATROOM_TOKEN"),
        trust_proxy=values.choice("CHATROOM_TRUST_PROXY", ("false", "true")) == "true",
        metrics_token=values.text("CHATROOM_METRICS_TOKEN"),
        log_level=values.choice("LOG_LEVEL", ("INFO", "DEBUG", "WARNING", "ERROR")),
        log_format=values.choice("LOG_FORMAT", ("console", "json")),
        limits=values.limits("CHATROOM_LIMIT_"),
        rpc_tls=values.tls("CHATROOM_RPC_TLS"),
    )
    if wrong:
        raise ConfigInvalid("".join(f"\n  {line}" for line in wrong))
    return config


class _Values:
    def __init__(self, environment: Mapping[str, str], wrong: list[str]) -> None:
        self._environment = environment
        self._wrong = wrong

    def text(self, name: str, default: str = "") -> str:
        if path := self._environment.get(f"{name}_FILE"):
            try:
                return Path(path).read_text().strip()
            except OSError as error:
                self._wrong.append(f"{name}_FILE: {error}")
        return self._environment.get(name, "").strip() or default

    def secret(self, name: str) -> str:
        value = self.text(name)
        if len(value) < LEAST_SECRET:
            self._wrong.append(f"{name}: must have at least {LEAST_SECRET} characters")
        return value

    def address(self, name: str, default: str) -> tuple[str, int]:
        host, _, port = self.text(name, default).rpartition(":")
        if not host or not port.isdigit() or not 0 <= int(port) < 65536:
            self._wrong.append(f"{name}: must be an address and a port, such as {default}")
            return "", 0
        return host.strip("[]"), int(port)

    def origins(self, name: str) -> tuple[str, ...]:
        found = tuple(o.strip().rstrip("/") for o in self.text(name).split(",") if o.strip())
        if not found:
            self._wrong.append(
                f"{name}: must name the sites whose pages may connect, such as https://hw.example"
            )
        for origin in found:
            if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
                self._wrong.append(f"{name}: {origin!r} is not like https://hw.example")
        return found

    def tls(self, prefix: str) -> Tls | None:
        tls = Tls(*(self.text(f"{prefix}_{name}") for name in ("CA", "CERT", "KEY", "NAME")))
        if bool(tls.cert) != bool(tls.key):
            self._wrong.append(f"{prefix}_CERT and {prefix}_KEY: one needs the other")
        if tls.ca:
            return tls
        if tls.cert or tls.key or tls.name:
            self._wrong.append(f"{prefix}_CA: without it remote calls go in plain text")
        return None

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, choices[0])
        if value not in choices:
            self._wrong.append(f"{name}: must be one of {', '.join(choices)}")
        return value

    def limits(self, prefix: str) -> Limits:
        changed: dict[str, Any] = {}
        for field in fields(Limits):
            name = prefix + field.name.upper()
            if value := self.text(name):
                kind = type(getattr(DEFAULT, field.name))
                try:
                    changed[field.name] = kind(value)
                except ValueError:
                    self._wrong.append(f"{name}: must be a number")
                    continue
                if changed[field.name] <= 0:
                    self._wrong.append(f"{name}: must be more than 0")
        return replace(DEFAULT, **changed)


def from_process() -> Config:
    """The configuration of this process."""
    return read(os.environ)
