"""Kombu's transport to the embedded broker: `hashworld:////absolute/path/of/broker.sqlite3`.

`register` makes the URL known; call it where the Celery app is made. Transport options:
`lease`, the seconds after which a frozen process loses its messages (30), and `polling_interval`,
the seconds between two looks for new messages (0.05). Message priorities and queue length limits
are ignored.
"""

# kombu's type stubs know its virtual transports only roughly; where they are wrong, it is ignored.
# mypy: disable-error-code="override"

import math
import os
import sqlite3
import time
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, virtual

from hashworld.embedded.broker import Broker, broker_at
from hashworld.embedded.broker.errors import LeaseLostError, QueueNotFoundError
from hashworld.embedded.broker.owners import Owner
from hashworld.embedded.channel import Channel

ALIAS = "hashworld"
LEASE = 30.0
POLLING_INTERVAL = 0.05


def register() -> None:
    """Make kombu, and with it Celery, understand `hashworld://` URLs."""
    TRANSPORT_ALIASES[ALIAS] = f"{__name__}:Transport"


def database_path(virtual_host: str) -> Path:
    """The broker file a URL names. ValueError unless its path is absolute."""
    path = Path(virtual_host)
    if not path.is_absolute() or path == Path("/"):
        raise ValueError(
            f"broker URL names no absolute file path (got {virtual_host!r}): "
            f"write {ALIAS}:////var/lib/hashworld/broker.sqlite3, with four slashes"
        )
    return path


class Transport(virtual.Transport):
    """A connection to the broker file; all its channels hold messages in the name of one owner."""

    Channel = Channel
    driver_type = "sqlite"
    driver_name = "sqlite3"
    polling_interval = POLLING_INTERVAL
    implements = virtual.Transport.implements.extend(
        exchange_type=frozenset(["direct", "topic", "fanout"])
    )
    connection_errors = (
        *virtual.Transport.connection_errors,
        LeaseLostError,
        sqlite3.OperationalError,
    )
    channel_errors = (*virtual.Transport.channel_errors, QueueNotFoundError)

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self._path = database_path(client.virtual_host)
        self._lease = float(client.transport_options.get("lease", LEASE))
        self._owner: Owner | None = None

    @property
    def broker(self) -> Broker:
        """This process's broker, another one after a fork."""
        return broker_at(self._path)

    @property
    def owner(self) -> Owner:
        """In whose name this connection holds messages. Those that only publish need none."""
        if self._owner is None or self._owner.pid != os.getpid():
            self._owner = self.broker.open_owner(self._lease)
        return self._owner

    @property
    def default_connection_params(self) -> dict[str, Any]:
        return {}

    def driver_version(self) -> str:
        return sqlite3.sqlite_version

    def establish_connection(self) -> "Transport":
        # Now, rather than at the first publish: here Celery knows what to do about an error.
        self.broker.store.rows("SELECT 1", {})
        super().establish_connection()
        return self

    def close_connection(self, connection: "Transport") -> None:
        super().close_connection(connection)  # type: ignore[arg-type]
        if self._owner is not None:
            self.broker.close_owner(self._owner)
            self._owner = None

    def drain_events(self, connection: "Transport", timeout: float | None = None) -> None:
        """Deliver one message. TimeoutError after `timeout` seconds without any.

        LeaseLostError if this process was taken for dead; the caller has to reconnect.
        """
        store = self.broker.store
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            self._check_lease()
            seen = store.changes
            try:
                self.cycle.get(self._deliver, timeout=timeout)  # type: ignore[union-attr]
                return
            except Empty:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError from None
                store.wait_for_change(seen, min(self.polling_interval, remaining))

    def _check_lease(self) -> None:
        if self._owner is not None and not self.broker.owners.holds(self._owner):
            raise LeaseLostError("the broker lease was lost: this process did not run for too long")
