"""A node's work: leases go in, fetches run on one engine, ended tries go to the writer."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from queue import SimpleQueue
from threading import Event, Thread, Timer
from time import monotonic
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from hashworld.fetcher.address import AddressPolicy
from hashworld.fetcher.engine import Engine, Response
from hashworld.fetcher.errors import EngineStopped, ErrorKind
from hashworld.nodes.heartbeat import Work, stop_process
from hashworld.nodes.models import STUCK, Node
from hashworld.tasks import content, dispatcher, moves, requests
from hashworld.tasks.attempts import Ended
from hashworld.tasks.finishing import Running, finish
from hashworld.tasks.holdings import Holdings
from hashworld.tasks.models import Lease
from hashworld.tasks.renewal import Renewer
from hashworld.tasks.states import Verb
from hashworld.tasks.writer import Writer

log = structlog.get_logger(__name__)

#: Seconds that an engine has to stop. One that stands still is left to the end of the process.
STOP_SECONDS = 10.0
#: Seconds that the writer has to record what has ended.
WRITE_SECONDS = 10.0


class Runner:
    """One engine and the threads around it, for as long as the process lives.

    `beat` asks for a heartbeat and returns at once.
    """

    def __init__(self, node: Node, beat: Callable[[], None] = lambda: None) -> None:
        env = settings.ENV
        self.node = node
        self.holdings = Holdings(env.lease_seconds)
        self._running: dict[int, Running] = {}
        self._keys = count(1)
        self._draining = self._resting = False
        self._patience: Timer | None = None
        self._responses: SimpleQueue[list[Response] | None] = SimpleQueue()
        self._engine = Engine(
            capacity=node.max_tasks,
            policy=AddressPolicy(env.fetch_allow_networks, env.fetch_deny_networks),
            on_done=self._responses.put,
            user_agent=env.fetch_user_agent,
        )
        self._store = content.store_for(env.content_store, node.name)
        self._writer = Writer(
            node,
            self.holdings,
            self._store,
            freed=lambda: dispatcher.nudge(node.pk),
            failed=stop_process,
        )
        self._renewer = Renewer(
            node,
            self.holdings,
            beat=beat,
            cancel=self._cancel,
            give_back=self._writer.give_back,
            turning=lambda: monotonic() - self._engine.ticked_at < STUCK,
            failed=stop_process,
        )
        # One more on the same interpreter would cost more in switching than it brings.
        self._finisher = Thread(target=self._finish_loop, name="finisher", daemon=True)

    @property
    def in_flight(self) -> int:
        """How many fetches are under way."""
        return self._engine.in_flight

    @property
    def work(self) -> Work:
        """How many fetches are under way, and how long ago the engine's loop turned."""
        return Work(self.in_flight, max(0.0, monotonic() - self._engine.ticked_at))

    def start(self) -> None:
        """Start all threads."""
        self._engine.start()
        self._writer.start()
        self._renewer.start()
        self._finisher.start()

    def take(self, lease_id: int) -> int:
        """Start a lease and hand its tasks to the engine; their number.

        0 when the lease came twice or too late; a node that drains gives it back soon.
        """
        if self._draining or self._resting:
            self._writer.give_back([lease_id])
            return 0
        sent = monotonic()
        try:
            started = moves.start(lease_id, self.node.incarnation)
            loaded = requests.load(lease_id, started)
        except Exception:
            # It may have started all the same, and nobody would renew it. The writer goes on
            # trying until the database is back.
            self._writer.give_back([lease_id])
            raise
        for running, request in loaded:
            request.key = next(self._keys)
            self._running[request.key] = running
        if loaded:
            keys = {running.task.id: request.key for running, request in loaded}
            self.holdings.add(lease_id, keys, sent)
            try:
                self._engine.submit([request for _, request in loaded])
            except EngineStopped:
                moves.release([lease_id])
                if not self._draining:
                    log.error("the engine has failed; the node stops")
                    stop_process()
                return 0
        return len(loaded)

    def rest(self, grace: float) -> None:
        """Take nothing more until `resume`; returns at once.

        What has not begun goes back now, what is in flight when it has not ended in `grace`
        seconds. Neither is counted as lost.
        """
        self._resting = True
        self._engine.hold()
        self._be_patient(Timer(grace, self._cut_short))

    def resume(self) -> None:
        """Take leases again after `rest`."""
        self._be_patient(None)
        self._engine.go_on()
        self._resting = False
        dispatcher.nudge(self.node.pk)

    def resize(self, max_tasks: int) -> None:
        """Have up to so many fetches in flight from now on."""
        self._engine.resize(max_tasks)
        self.node.max_tasks = max_tasks
        dispatcher.nudge(self.node.pk)

    def figures(self) -> dict[str, Any]:
        """What the node has in hand at this moment, for whoever asks it."""
        return {
            "incarnation": self.node.incarnation,
            "pid": self.node.pid,
            "version": self.node.version,
            "max_tasks": self.node.max_tasks,
            "in_flight": self._engine.in_flight,
            "held": len(self.holdings),
            "draining": self._draining or self._resting,
            "engine_turned_seconds_ago": round(monotonic() - self._engine.ticked_at, 3),
        }

    def drain(self, grace: float) -> None:
        """Take nothing more, let what is in flight end within `grace` seconds, give back the rest.

        What is given back is not counted as lost.
        """
        self._draining = True
        self._be_patient(None)
        with suppress(EngineStopped):  # one that failed has stopped by itself
            self._engine.hold()
        deadline, idle = monotonic() + grace, Event()
        while self._engine.in_flight and monotonic() < deadline:
            idle.wait(0.05)
        if not self._engine.stop(STOP_SECONDS):
            log.error("the engine does not stop; the process ends without it")
        self._responses.put(None)
        self._finisher.join()
        self._writer.stop(WRITE_SECONDS)
        self._renewer.stop(WRITE_SECONDS)
        self._store.close()
        try:
            left = moves.release(self._leases())
        except (DatabaseError, InterfaceError) as error:
            log.warning("could not give back what did not end; it expires", error=str(error))
        else:
            if left:
                log.info("gave back what did not end in time", tasks=left)

    def _leases(self) -> list[int]:
        ours = Lease.objects.open().filter(node=self.node, incarnation=self.node.incarnation)
        return list(ours.values_list("pk", flat=True))

    def _be_patient(self, timer: Timer | None) -> None:
        """Replace whatever waits for the end of a grace."""
        if self._patience is not None:
            self._patience.cancel()
        self._patience = timer
        if timer is not None:
            timer.daemon = True
            timer.start()

    def _cut_short(self) -> None:
        if self._resting:
            self._cancel(list(self._running))

    def _cancel(self, keys: Iterable[int]) -> None:
        # An engine that has stopped has cancelled them already.
        with suppress(EngineStopped):
            self._engine.cancel(keys)

    def _finish_loop(self) -> None:
        while (batch := self._responses.get()) is not None:
            self._writer.put(self._ended(batch))

    def _ended(self, batch: Iterable[Response]) -> list[Ended]:
        found, cut = [], []
        for response in batch:
            running = self._running.pop(response.key)
            if response.error is ErrorKind.CANCELLED:
                cut.append((running.task.lease_id or 0, running.task.id))
            else:
                found.append(self._ended_one(response, running))
        # Cancelled means that the task is no longer ours, or goes back: nothing to record.
        self._writer.cut(cut)
        return found

    def _ended_one(self, response: Response, running: Running) -> Ended:
        try:
            return finish(response, running, self.node.pk)
        except Exception as error:
            log.exception("a response could not be finished", task=running.task.id)
            return Ended(
                task=running.task,
                node_id=self.node.pk,
                verb=Verb.FAIL,
                seconds=response.timings.total or 0.0,
                status=response.status,
                error=str(ErrorKind.INTERNAL),
                detail=f"{type(error).__name__}: {error}"[:300],
            )
