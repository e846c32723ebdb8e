"""When a message that was not taken is sent again, and what an answer means. Pure."""

from enum import Enum
from random import uniform

#: Seconds after each failed try; the last one is a day after the first.
DELAYS = (5, 30, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 22_800)
#: Seconds that a receiver may ask for by Retry-After.
MOST_ASKED = 3600
#: What a delay is stretched by at most, so that not all come back at once.
SPREAD = 0.1
GONE = 410


class Meaning(Enum):
    """What an answer means, after the Standard Webhooks specification."""

    TAKEN = "taken"
    GONE = "gone"
    AGAIN = "again"


def meaning(status: int | None) -> Meaning:
    """2xx is taken, 410 asks for no more; all else, redirects too, is a failure."""
    if status is not None and 200 <= status < 300:
        return Meaning.TAKEN
    return Meaning.GONE if status == GONE else Meaning.AGAIN


def delay(tries: int, asked: str = "") -> float | None:
    """Seconds to wait after so many tries, None after the last; `asked` is a Retry-After."""
    if tries > len(DELAYS):
        return None
    own = DELAYS[tries - 1] * uniform(1, 1 + SPREAD)  # noqa: S311 - spreads them
    wished = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 0
    return max(own, min(wished, MOST_ASKED))
