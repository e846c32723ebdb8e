"""One connection: what it may send us, and what waits to be sent to it."""

import asyncio
import time
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from chatroom.core.errors import Close
from chatroom.core.limits import Limits
from chatroom.core.rates import Bucket

#: Seconds in which a client that was put out may still read why.
LAST_WORDS = 5.0


def frame(data: bytes) -> bytes:
    """A text message as it goes over the wire; made once, however many get it."""
    return Frame(Opcode.TEXT, data).serialize(mask=False)


class GuardedConnection(ServerConnection):
    """Closes when frames of any kind come too fast; what came too fast is not looked at."""

    def __init__(self, *arguments: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*arguments, **options)
        now = time.monotonic()
        self._bucket = Bucket(limits.frames, limits.frame_burst, limits.frame_burst, now)
        self._closing: asyncio.Task[None] | None = None

    def process_event(self, event: Event) -> None:
        """As the parent, within the limit."""
        if self.request is not None:
            if self._closing is not None:
                return
            if self._bucket.take(time.monotonic()):
                closing = self.close(Close.POLICY, "too many frames")
                self._closing = self.loop.create_task(closing)
                return
        super().process_event(event)


class Outbox:
    """What waits for one client is what its transport holds: bounded, and never waited for."""

    def __init__(self, connection: ServerConnection, limits: Limits) -> None:
        self.put_out = False
        self._connection = connection
        self._limit = limits.outbox
        self._stuck_after = limits.stuck
        self._written = 0
        self._drained = 0
        self._since = 0.0

    def write(self, frames: bytes) -> None:
        """Send, or put the client out if too much waits for it already."""
        connection = self._connection
        if self.put_out or connection.protocol.state is not State.OPEN:
            return
        connection.transport.write(frames)
        self._written += len(frames)
        if connection.transport.get_write_buffer_size() > self._limit:
            self.close()

    def check(self, now: float) -> None:
        """Put out a client that has read nothing for too long while something waits for it."""
        waiting = self._connection.transport.get_write_buffer_size()
        drained = self._written - waiting
        if not waiting or drained != self._drained:
            self._drained, self._since = drained, now
        elif now - self._since >= self._stuck_after and not self.put_out:
            self.close()

    def close(self) -> None:
        """Tell the client to come back, if it reads on, and end the connection soon."""
        self.put_out = True
        connection = self._connection
        if connection.protocol.state is State.OPEN:
            connection.protocol.send_close(Close.SLOW, "too slow")
            connection.send_data()
        connection.loop.call_later(LAST_WORDS, connection.transport.abort)
