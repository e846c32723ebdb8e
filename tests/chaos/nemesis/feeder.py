"""The load: somebody who goes on handing in jobs, whatever happens to the servers."""

from itertools import count
from random import Random
from threading import Event, Thread
from typing import Self

from django.db import DatabaseError, connection

from hashworld.tasks.errors import SubmissionBusy
from hashworld.tasks.models import Task
from tests.chaos.ledger import Ledger
from tests.chaos.site import Site

#: URLs of one job, and how many unfinished tasks there are to be.
JOB = 100
AHEAD = 600
#: Seconds before it looks, or tries, again.
PAUSE = 0.2


class Feeder:
    """Hands in jobs from a thread, so that there is always enough to do, until it is stopped.

    A submission that was answered with an error is repeated under its key until it is
    acknowledged; only then it is in the ledger.
    """

    def __init__(self, site: Site, ledger: Ledger, dice: Random) -> None:
        self._site = site
        self._ledger = ledger
        self._dice = dice
        self._numbers = count(1)
        self._unanswered: dict[str, list[str]] = {}
        #: While it rests, nothing new is handed in.
        self.rests = False
        self._stopped = Event()
        self._thread = Thread(target=self._loop, name="feeder", daemon=True)
        #: How often a submission failed, and what ended the thread, if anything did.
        self.refused = 0
        self.error: Exception | None = None

    def stop(self) -> None:
        """Hand in nothing new, and return once all is acknowledged."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _loop(self) -> None:
        try:
            while not self._stopped.is_set() or self._unanswered:
                self._run_once()
                Event().wait(PAUSE)
        except Exception as error:
            self.error = error
        finally:
            connection.close()

    def _run_once(self) -> None:
        try:
            if not (self.rests or self._stopped.is_set()) and self._is_hungry():
                self._unanswered[f"chaos {next(self._numbers)}"] = self._urls()
        except DatabaseError:
            connection.close()
        for key in list(self._unanswered):
            self._hand_in(key)

    def _hand_in(self, key: str) -> None:
        """One that is refused, because its first try is not known to be over, holds up no other."""
        try:
            self._ledger.acknowledge(self._unanswered[key], idempotency_key=key)
            del self._unanswered[key]
        except (DatabaseError, SubmissionBusy):
            self.refused += 1
            connection.close()

    def _is_hungry(self) -> bool:
        unanswered = JOB * len(self._unanswered)
        return Task.objects.filter(ended=None).count() + unanswered < AHEAD

    def _urls(self) -> list[str]:
        """Pages of which most are slow, some flaky."""
        folder = f"load/{next(self._numbers)}"
        return [
            self._site.url(f"/{self._kind()}/{folder}/{number}", self._dice.randrange(10_000))
            for number in range(JOB)
        ]

    def _kind(self) -> str:
        slow = f"slow/{self._dice.randrange(100, 1500)}"
        return self._dice.choices(("page", "flaky", slow), (10, 5, 85))[0]
