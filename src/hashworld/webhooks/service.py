"""The threads that tell: one looks at the cluster and copies events, one sends webhooks.

They run in every scheduler process. Only the master looks, for one is enough; all send, for each
message is claimed.
"""

import atexit
from collections.abc import Callable

from hashworld.nodes import clock, master
from hashworld.rounds import Rounds
from hashworld.tasks import relay, watch
from hashworld.tasks.errors import RedisAway
from hashworld.tasks.watch import Watch
from hashworld.webhooks import keeping, outbox
from hashworld.webhooks.sender import Sender

#: Seconds between two rounds; rounds between two tidyings.
LOOK, SEND = 1.0, 0.5
TIDY = 600


class Teller:
    """Both threads, from `start` to `stop`."""

    def __init__(self, leads: Callable[[], bool]) -> None:
        self._leads = leads
        self._watch = Watch()
        self._sender = Sender()
        self._looks = 0
        self._threads = (
            Rounds("events", self.look, LOOK, expected=(RedisAway,)),
            Rounds("webhooks", self.send, SEND),
        )

    def start(self) -> None:
        """Start the threads."""
        self._sender.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop them; what is under way is done by another, or by the next."""
        for thread in self._threads:
            thread.stop()
        self._sender.stop()

    def look(self) -> None:
        """One round of the first thread."""
        if not self._leads():
            return
        self._watch.run_once()
        relay.run_once()
        if self._looks % TIDY == 0:
            watch.tidy()
            keeping.tidy(clock.now())
        self._looks += 1

    def send(self) -> None:
        """One round of the second thread."""
        while outbox.fill() == outbox.CHUNK:
            pass
        self._sender.run_once()


def start() -> Teller:
    """This process's own; it stops when the process ends."""
    teller = Teller(master.start().candidate.leads)
    teller.start()
    atexit.register(teller.stop)
    return teller
