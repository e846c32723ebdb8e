"""How fast one person may ask for things, over all of that person's clients here."""

import time

from chatroom.core.errors import Code, Refused
from chatroom.core.limits import Limits
from chatroom.core.rates import Rates

#: Whoever scrolls asks for history so many times as often as others for anything.
SCROLLING = 10.0


class Pace:
    """Counts every kind of thing apart."""

    def __init__(self, limits: Limits) -> None:
        self._rates = Rates(limits.messages, limits.message_burst)
        self._history = Rates(SCROLLING * limits.messages, limits.message_burst)

    def require(self, person: int, what: str = "say") -> None:
        """Raises Refused if this comes too soon after the last."""
        rates = self._history if what == "history" else self._rates
        if wait := rates.take((person, what), time.monotonic()):
            raise Refused(Code.TOO_FAST, f"Not so fast: again in {wait:.1f} s")

    def forget(self, now: float) -> None:
        """Drop what is not needed any more."""
        self._rates.forget(now)
        self._history.forget(now)
