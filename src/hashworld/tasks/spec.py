"""A job's options as handed in, checked field by field."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hashworld.fetcher.exchange import check_headers
from hashworld.fetcher.limits import FetchLimits, LimitError
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import Duplicates, Priority

#: NUL and halves of surrogate pairs, which no database takes.
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
METHODS = ("GET", "HEAD", "POST")
MAX_REQUEST_BODY = 1024 * 1024
MOST_TAGS = 20
_TAG = re.compile(r"[\w.:/+-]{1,50}", re.ASCII)
#: A century.
MAX_KEEP_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class JobSpec:
    """The options of a submission; durations in seconds, sizes in bytes."""

    name: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    verify_tls: bool = True
    priority: int = Priority.NORMAL
    duplicates: str = Duplicates.KEEP
    max_attempts: int = 4
    retry_base: float = 2.0
    retry_cap: float = 300.0
    keep_days: int | None = None
    idempotency_key: str | None = None
    tags: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise InvalidInput naming the first field that cannot be used."""
        _require("name", len(self.name) <= 200, "must have at most 200 characters")
        _require("name", not _UNWRITABLE.search(self.name), "has a character that is none")
        _require("method", self.method in METHODS, f"must be one of {', '.join(METHODS)}")
        _require("body", self.body is None or self.method == "POST", "goes with POST only")
        _require("body", len(self.body or b"") <= MAX_REQUEST_BODY, "must be at most 1 MiB")
        _require("priority", self.priority in Priority.values, "must be 0 (low), 1 or 2 (high)")
        _require("duplicates", self.duplicates in Duplicates.values, 'must be "keep" or "one"')
        _require("max_attempts", 1 <= self.max_attempts <= 20, "must be from 1 to 20")
        _require("retry_base", 0 <= self.retry_base <= 3600, "must be from 0 to 3600 seconds")
        _require("retry_cap", 0 <= self.retry_cap <= 86_400, "must be from 0 to 86400 seconds")
        keeps = self.keep_days is None or 0 <= self.keep_days <= MAX_KEEP_DAYS
        _require("keep_days", keeps, f"must be from 0 (for ever) to {MAX_KEEP_DAYS}, or left out")
        key = self.idempotency_key
        fine = key is None or 0 < len(key) <= 200
        _require("idempotency_key", fine, "must have 1 to 200 characters")
        _check_tags(self.tags)
        _check_headers(self.headers)
        fetch_limits(self.limits)

    def columns(self) -> dict[str, Any]:
        """The options as columns of Job."""
        return {
            "name": self.name,
            "method": self.method,
            "headers": dict(self.headers),
            "body": self.body,
            "limits": dict(self.limits),
            "verify_tls": self.verify_tls,
            "priority": self.priority,
            "duplicates": self.duplicates,
            "max_attempts": self.max_attempts,
            "retry_base": self.retry_base,
            "retry_cap": self.retry_cap,
            "keep_days": self.keep_days,
        }


def fetch_limits(changes: Mapping[str, Any]) -> FetchLimits:
    """The engine's limits with a job's changes; raises InvalidInput naming the limit."""
    for name, value in changes.items():
        known = FetchLimits.__dataclass_fields__
        _require(f"limits.{name}", name in known, f"is no limit; there are {', '.join(known)}")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        _require(f"limits.{name}", number, "must be a number")
    try:
        return FetchLimits(**changes)
    except LimitError as error:
        raise InvalidInput(f"limits.{error.field}", error.reason) from error


def _check_tags(tags: tuple[str, ...]) -> None:
    _require("tags", len(tags) <= MOST_TAGS, f"must be at most {MOST_TAGS}")
    for tag in tags:
        reason = f"{tag[:60]!r} must have 1 to 50 letters, digits and . : / + - _ only"
        _require("tags", bool(_TAG.fullmatch(tag)), reason)


def _check_headers(headers: Mapping[str, Any]) -> None:
    _require("headers", len(headers) <= 50, "must be at most 50")
    for name, value in headers.items():
        text = isinstance(value, str) and len(value) <= 8192
        _require("headers", text, f"the value of {name} must be text of at most 8192 characters")
    try:
        check_headers(headers.items())
    except ValueError as error:
        raise InvalidInput("headers", str(error)) from error


def _require(name: str, fine: bool, reason: str) -> None:
    if not fine:
        raise InvalidInput(name, reason)
