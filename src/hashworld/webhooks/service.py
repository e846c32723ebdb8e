"""The threads that tell: one looks at the cluster and copies events, one sends webhooks.

They run in every scheduler process. Only the master looks, for one is enough; all send, for each
message is claimed. Whatever fails is logged and tried again: nobody waits for these threads.
"""

import atexit
from collections.abc import Callable
from threading import Event, Thread

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from hashworld.nodes import clock, master
from hashworld.tasks import relay, watch
from hashworld.tasks.errors import RedisAway
from hashworld.tasks.watch import Watch
from hashworld.webhooks import keeping, outbox
from hashworld.webhooks.sender import Sender

log = structlog.get_logger(__name__)

#: Seconds between two rounds, and after one that failed; rounds between two tidyings.
LOOK, SEND, FAILED = 1.0, 0.5, 5.0
TIDY = 600


class Teller:
    """Both threads, from `start` to `stop`."""

    def __init__(self, leads: Callable[[], bool]) -> None:
        self._leads = leads
        self._watch = Watch()
        self._sender = Sender()
        self._rounds = 0
        self._stopped = Event()
        self._threads = [
            Thread(target=self._loop, args=args, name=name, daemon=True)
            for name, *args in (("events", self.look, LOOK), ("webhooks", self.send, SEND))
        ]

    def start(self) -> None:
        """Start the threads."""
        self._sender.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop them; what is under way is done by another, or by the next."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(5)
        self._sender.stop()

    def look(self) -> None:
        """One round of the first thread."""
        if not self._leads():
            return
        self._watch.run_once()
        relay.run_once()
        if self._rounds % TIDY == 0:
            watch.tidy()
            keeping.tidy(clock.now())
        self._rounds += 1

    def send(self) -> None:
        """One round of the second thread."""
        while outbox.fill() == outbox.CHUNK:
            pass
        self._sender.run_once()

    def _loop(self, act: Callable[[], None], pause: float) -> None:
        failing = False
        while not self._stopped.wait(FAILED if failing else pause):
            close_old_connections()
            try:
                act()
                failing = False
            except (RedisAway, DatabaseError, InterfaceError) as error:
                failing = True
                log.warning(
                    "could not tell; trying again", error=f"{type(error).__name__}: {error}"
                )
                connection.close()
            except Exception:
                # A fault of ours: schedules, which this process keeps too, must go on.
                failing = True
                log.exception("telling failed; trying again")
                connection.close()
        connection.close()


def start() -> Teller:
    """This process's own; it stops when the process ends."""
    teller = Teller(master.start().candidate.leads)
    teller.start()
    atexit.register(teller.stop)
    return teller
