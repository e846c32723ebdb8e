"""The errors of `hashworld.tasks`.

TaskError
├── InvalidInput      what was handed in cannot be taken; names the field and the reason
├── SubmissionBusy    the same idempotency key is being submitted right now
├── SubmissionLost    a submission paused for so long that it was taken down
├── QuotaPassed       more than its owner may have
├── NoNodeAlive       nobody is there to fetch (in `progress`)
├── RedisAway         Redis cannot be reached, or keeps silent
└── ContentDamaged    a kept body is missing or is not what was kept
"""


class TaskError(Exception):
    """Base of the errors that a person can do something about."""


class InvalidInput(TaskError):
    """What was handed in cannot be taken; nothing was changed."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class SubmissionBusy(TaskError):
    """A submission with this idempotency key is still under way; ask again in a few seconds."""


class SubmissionLost(TaskError):
    """A submission paused for so long that it was taken for dead; hand it in again."""


class QuotaPassed(TaskError):
    """More than the owner may have; nothing was changed. `retry_after` is in seconds."""

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RedisAway(TaskError):
    """Redis cannot be reached, or keeps silent; what is for it waits in the database."""


class ContentDamaged(TaskError):
    """A kept body is missing or its bytes are not those that were kept."""
