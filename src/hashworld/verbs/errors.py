"""The errors of the verbs: what every door answers with, in its own way.

VerbError
├── Forbidden       this person may not do this
├── NotFound        there is no such thing, or this person may not know of it
├── Invalid         what was handed in cannot be taken; names the field and the reason
├── Conflict        it cannot be done as things stand
├── QuotaExceeded   more than this person may have; says when to try again
└── Unavailable     a node or a server that is needed did not answer
"""

from collections.abc import Iterator
from contextlib import contextmanager

from hashworld.fetcher.limits import LimitError
from hashworld.nodes.errors import InvalidValue, NoAnswer, UnknownNode
from hashworld.tasks.errors import (
    ContentDamaged,
    InvalidInput,
    QuotaPassed,
    SubmissionBusy,
    SubmissionLost,
)

#: What `InvalidInput` is about when it is not the input but how things stand.
_STANDING = "job"
_RECURRING = "recurring job"


class VerbError(Exception):
    """Base of what a verb may raise; the text is for people."""


class Forbidden(VerbError):
    """This person, or this token, may not do this."""


class NotFound(VerbError):
    """There is no such thing, or this person may not know of it."""


class Invalid(VerbError):
    """What was handed in cannot be taken; nothing was changed."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class Conflict(VerbError):
    """It cannot be done as things stand; nothing was changed."""


class QuotaExceeded(VerbError):
    """More than this person may have; nothing was changed. `retry_after` is in seconds."""

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Unavailable(VerbError):
    """A node or a server that is needed did not answer; it may the next time."""


@contextmanager
def translated() -> Iterator[None]:
    """The errors of the packages below as errors of the verbs."""
    try:
        yield
    except InvalidInput as error:
        if error.field == _STANDING:
            raise Conflict(f"{error.reason}.") from error
        if error.field == _RECURRING:
            raise NotFound(f"{error.reason}.") from error
        raise Invalid(error.field, error.reason) from error
    except (InvalidValue, LimitError) as error:
        raise Invalid(error.field, error.reason) from error
    except UnknownNode as error:
        raise NotFound(f"{error}.") from error
    except NoAnswer as error:
        raise Unavailable(f"{error}.") from error
    except QuotaPassed as error:
        raise QuotaExceeded(str(error), error.retry_after) from error
    except (SubmissionBusy, SubmissionLost) as error:
        raise Conflict(str(error)) from error
    except ContentDamaged as error:
        raise NotFound(f"The body cannot be read: {error}") from error
