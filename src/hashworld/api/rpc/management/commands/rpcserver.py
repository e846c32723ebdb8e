"""`manage.py rpcserver`: the remote door."""

import signal
import threading
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hashworld.api.rpc.server import CannotListen, Server

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Serve gRPC until SIGTERM or SIGINT, then let the calls under way end."""

    help = "Serve the remote door (gRPC, package communicate) on HASHWORLD_RPC_BIND."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to listen, and how long calls may take to end."""
        parser.add_argument("--bind", default="", help="host:port instead of HASHWORLD_RPC_BIND")
        parser.add_argument(
            "--grace", type=float, default=10.0, help="seconds for calls under way, at the end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Returns when all calls have ended."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        bind = options["bind"] or settings.ENV.rpc_bind
        try:
            server = Server(settings.ENV, bind)
        except CannotListen as error:
            raise CommandError(str(error)) from error
        server.start()
        secure = "with TLS" if settings.ENV.rpc_tls_cert else "without TLS"
        log.info("remote door open", bind=bind, port=server.port, secure=secure)
        stop.wait()
        log.info("remote door closes; calls under way may end", grace=options["grace"])
        server.stop(options["grace"])
