"""Connections to MySQL that notice when nobody is at the other end.

A server or a path that vanishes without a word sends no reset: who waits for an answer would wait
for hours (tcp(7)), for the driver sets no limit. Probes of the kernel tell the dead from the slow,
so a long statement has the time it needs.
"""

import os
import socket
from typing import Any

from django.db.backends.signals import connection_created
from django.dispatch import receiver

#: Seconds of silence before the first probe, between two, and how many may go unanswered.
IDLE, PAUSE, PROBES = 4, 2, 3
#: Milliseconds that what was sent may stay unacknowledged.
UNHEARD = 10_000


@receiver(connection_created)
def watch(connection: Any, **_: Any) -> None:
    """Let a new connection fail within some ten seconds once the other end is gone."""
    if connection.vendor != "mysql":
        return
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as wire:
        if wire.family == socket.AF_UNIX:
            return
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PAUSE)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD)
