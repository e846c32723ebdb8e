"""`manage.py run`: HashWorld whole on this machine."""

import signal
import sys
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from hashworld.embedded import doors, ports, roles, welcome
from hashworld.embedded.output import PrefixedOutput
from hashworld.embedded.supervisor import Supervisor
from hashworld.preparation import prepare

#: Seconds beyond a node's drain before it is taken for stuck.
DRAIN_MARGIN = 10.0
STUBBORN = 1


class Command(BaseCommand):
    """Prepare the data folder, then keep everything of one machine running until told to stop."""

    help = (
        "Run web, nodes, scheduler, remote calls and chatroom until Ctrl-C;"
        " a second Ctrl-C does not wait for anything."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """How many nodes."""
        parser.add_argument(
            "--nodes",
            type=int,
            choices=roles.NODES,
            default=roles.default_nodes(),
            help="nodes on this machine; one per two cores unless told",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Leaves by SystemExit when a child had to be killed."""
        bind = settings.ENV.web_bind
        try:
            ports.require_free(bind, "HASHWORLD_WEB_BIND")
            doors.require_free()
        except ports.AddressUnusable as error:
            raise CommandError(str(error)) from error
        user = prepare()
        children = [*roles.children(options["nodes"], bind), *doors.children()]
        connections.close_all()  # the processes are about to start
        output = PrefixedOutput(sys.stdout, [child.name for child in children])
        supervisor = Supervisor(children, output, settings.ENV.drain_seconds + DRAIN_MARGIN)
        stop = _on_signal(supervisor)
        supervisor.start()
        while not stop.wait(0.2):
            if welcome.answers(bind):
                output.block(welcome.box(bind, user, colour=sys.stdout.isatty()))
                stop.wait()
        output.block("stopping: nodes finish what they have in flight\n")
        if stubborn := supervisor.stop():
            output.block(f"had to be killed: {', '.join(stubborn)}\n")
            raise SystemExit(STUBBORN)


def _on_signal(supervisor: Supervisor) -> threading.Event:
    """An event that the first SIGINT or SIGTERM sets; the second kills what is still there."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        if stop.is_set():
            supervisor.kill()
        stop.set()

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
    return stop
