"""What becomes of a try that has ended: done, tried again later, or given up. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from hashworld.fetcher.errors import ErrorKind
from hashworld.tasks.states import Verb

#: A server may put a task off for this long at most, in seconds.
RETRY_AFTER_CAP = 3600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A job's policy: tries in all, and the first and the longest pause in seconds."""

    max_attempts: int
    base: float
    cap: float


def decide(
    error: ErrorKind | None,
    failures: int,
    policy: RetryPolicy,
    retry_after: float | None,
    random: Callable[[], float],
) -> tuple[Verb, float]:
    """The move for a try that ended with `error`, after `failures` earlier ones, and its delay.

    The delay has full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015) and
    is never shorter than what the server asked for.
    """
    if error is None:
        return Verb.SUCCEED, 0.0
    if not error.retryable or failures + 1 >= policy.max_attempts:
        return Verb.FAIL, 0.0
    delay = random() * min(policy.cap, policy.base * 2.0 ** min(failures, 32))
    return Verb.RETRY_LATER, max(delay, min(retry_after or 0.0, RETRY_AFTER_CAP))


def retry_after(value: str | None, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for (RFC 9110, 10.2.3); None if it is no such."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
