"""The keeper: renews this process's leases and clears away what the dead left behind."""

import logging
import sqlite3
import threading
import time

from hashworld.embedded.broker.messages import Messages
from hashworld.embedded.broker.owners import Owners
from hashworld.embedded.broker.queues import Queues

INTERVAL = 1.0
"""Seconds between two rounds."""

logger = logging.getLogger(__name__)


class Keeper:
    """Works in a thread of its own, so that a blocked consumer does not lose its messages.

    The thread runs while this process has an owner. A process that only publishes calls
    `run_if_due` instead, so that the file is kept small where nothing consumes.
    """

    def __init__(self, owners: Owners, queues: Queues, messages: Messages) -> None:
        self._owners = owners
        self._queues = queues
        self._messages = messages
        self._last_run = 0.0
        self._running = False
        self._mutex = threading.Lock()

    def start(self) -> None:
        """Start the thread, if it does not run yet."""
        with self._mutex:
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="broker-keeper", daemon=True).start()

    def run_once(self, now: float, wall_now: float) -> None:
        """One round at `now` (monotonic) and `wall_now` (wall clock), in seconds."""
        # After a freeze of the whole machine or process group the others' leases look over too.
        # Who was away himself judges nobody until they had a round to renew in.
        was_away = now - self._last_run > 5 * INTERVAL
        self._last_run = now
        self._owners.renew(now)
        self._owners.sweep(now, by_lease=not was_away)
        self._queues.drop_unused(now)
        self._messages.drop_expired(wall_now)

    def run_if_due(self, now: float, wall_now: float) -> None:
        """A round, if the last one is long ago."""
        if now - self._last_run > 10 * INTERVAL:
            self.run_once(now, wall_now)

    def _run(self) -> None:
        while self._goes_on():
            try:
                self.run_once(time.monotonic(), time.time())
            except sqlite3.Error:
                logger.exception("The broker file could not be kept up; trying again.")
            time.sleep(INTERVAL)

    def _goes_on(self) -> bool:
        with self._mutex:
            self._running = self._owners.any_open
            return self._running
