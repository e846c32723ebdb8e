"""A connection to a server that has vanished fails in time."""

import os
import socket

import pytest
from django.db import connection

from hashworld import sockets
from tests.conftest import Footing

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_kernel_is_asked_to_notice_a_server_that_has_vanished(footing: Footing) -> None:
    if footing == "embedded":
        pytest.skip("SQLite has no server")
    connection.ensure_connection()
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as wire:
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, pause, probes, unheard = (
            wire.getsockopt(socket.IPPROTO_TCP, option)
            for option in (
                socket.TCP_KEEPIDLE,
                socket.TCP_KEEPINTVL,
                socket.TCP_KEEPCNT,
                socket.TCP_USER_TIMEOUT,
            )
        )
    assert (idle + pause * probes) * 1000 <= sockets.UNHEARD == unheard
