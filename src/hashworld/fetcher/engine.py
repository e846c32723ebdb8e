"""The loop: one thread that keeps many fetches going on libcurl's multi interface.

Requests come in from any thread, responses go out in batches on the engine's own. The engine
knows HTTP, hosts and limits; it retries nothing and remembers nothing but open connections.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from time import monotonic

import pycurl

from .address import AddressPolicy
from .errors import EngineStopped, ErrorKind, InvalidURL
from .exchange import Request, Response, Timings, header
from .fetch import Fetch
from .multi import Multi
from .redirect import REDIRECTS, follow
from .schedule import Schedule
from .transfer import Transfer, trust_store

__all__ = ["Engine", "Request", "Response", "Timings"]

log = logging.getLogger(__name__)

_SWEEP_INTERVAL = 0.1  # how late a limit that libcurl does not watch may be noticed, in seconds
_IDLE_TICK = 1.0  # how often an idle loop turns, so that a watchdog sees it alive
_HELD_BACK = "held back, the engine takes no more"
_SLICE = 1000  # requests taken in during one turn, so that a huge submit stalls nobody


class Engine:
    """Fetches up to `capacity` requests at once on a thread of its own.

    `on_done` is called on that thread with one batch of responses a loop turn, each request
    appearing exactly once; it must not block. One that raises stops the engine, which hands the
    batch over once more with all that is left. `policy` holds for the engine's life.
    `ca_file` names the certificate authorities to trust instead of the system's.
    """

    def __init__(
        self,
        capacity: int,
        policy: AddressPolicy,
        on_done: Callable[[list[Response]], None],
        user_agent: str,
        *,
        ca_file: str | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self.ticked_at = monotonic()
        """When the loop last turned, by the monotonic clock; a healthy one turns every second."""
        self._capacity = capacity
        self._on_done = on_done
        self._new_transfer = partial(Transfer, policy, user_agent, trust_store(ca_file))

        self._lock = threading.Lock()  # guards the three below
        self._mail: deque[tuple[int, Callable[[], None]]] = deque()
        self._mailed = 0
        self._stopping = False

        self._drained = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fetch-engine", daemon=True)
        self._multi = Multi(max_idle_connections=capacity)
        self._sweep_due = 0.0

        self._fetches: dict[int, Fetch] = {}  # all that are not reported yet, by key
        self._running: dict[pycurl.Curl, Fetch] = {}
        self._between_hops: set[Fetch] = set()
        self._idle: list[Transfer] = []
        self._schedule: Schedule[Fetch] = Schedule()
        self._done: list[Response] = []
        self._held = False

    @property
    def in_flight(self) -> int:
        """How many requests have a transfer under way."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many requests were submitted and have no transfer under way."""
        return self._mailed + self._schedule.waiting

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, requests: Iterable[Request]) -> None:
        """Hand in any number of requests, from any thread. Raises EngineStopped after `stop`."""
        batch = list(requests)
        for begin in range(0, len(batch), _SLICE):
            part = batch[begin : begin + _SLICE]
            self._post(len(part), partial(self._accept, part))

    def cancel(self, keys: Iterable[int]) -> None:
        """Give up requests, waiting or in flight, from any thread; unknown keys are ignored.

        Each is reported with the error CANCELLED, unless it ended first. Raises EngineStopped
        after `stop`.
        """
        self._post(0, partial(self._cancel, tuple(keys)))

    def hold(self) -> None:
        """Start no more requests: those not started are reported as cancelled, the others go on.

        Raises EngineStopped after `stop`.
        """
        self._post(0, self._hold)

    def go_on(self) -> None:
        """Start requests again after `hold`. Raises EngineStopped after `stop`."""
        self._post(0, self._go_on)

    def resize(self, capacity: int) -> None:
        """Fetch up to `capacity` requests at once from now on; what is in flight goes on.

        Raises EngineStopped after `stop`.
        """
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self._post(0, partial(self._resize, capacity))

    def stop(self, timeout: float | None = None) -> bool:
        """Stop; what has not ended is reported as cancelled. False if not done in `timeout` s."""
        with self._lock:
            if not self._stopping:
                self._stopping = True
                self._multi.wake()
        if self._thread.ident is None:
            self._thread.start()  # it ends at once, reporting what was submitted
        return self._drained.wait(timeout)

    def _post(self, size: int, act: Callable[[], None]) -> None:
        with self._lock:
            if self._stopping:
                raise EngineStopped("the engine has stopped, start another")
            # The loop reads until the deque is empty, so only the first has to wake it; under
            # the lock, for once it is stopping the descriptor may be closed at any time.
            first = not self._mail
            self._mail.append((size, act))
            self._mailed += size
            if first:
                self._multi.wake()

    def _run(self) -> None:
        error, detail = ErrorKind.CANCELLED, "the engine stopped"
        try:
            while not self._stopping:
                self._turn()
        except Exception:
            log.exception("the fetch engine failed and has stopped")
            error, detail = ErrorKind.INTERNAL, "the engine failed"
        finally:
            self._close(error, detail)

    def _turn(self) -> None:
        self.ticked_at = now = monotonic()
        self._multi.turn(self._pause(now))
        now = monotonic()
        self._read_mail()
        if self._sweep_due <= now:
            self._sweep(now)
        for curl, code, message in self._multi.ended():
            self._end_hop(self._running[curl], code, message, now)
        self._fill(now)
        self._hand_over()

    def _pause(self, now: float) -> float:
        if self._mail:
            return 0.0
        due = now + _IDLE_TICK
        if self._running or self._between_hops:
            due = min(due, self._sweep_due)
        if len(self._running) < self._capacity:
            due = min(due, self._schedule.next_due() or inf)
        return due - now

    # What the caller asks.

    def _read_mail(self) -> None:
        taken = 0
        while self._mail and taken < _SLICE:
            size, act = self._mail.popleft()
            act()
            taken += max(1, size)
            with self._lock:
                self._mailed -= size

    def _accept(self, requests: list[Request]) -> None:
        for request in requests:
            fetch = Fetch(request)
            if request.key in self._fetches:
                detail = f"key {request.key} is in the engine already"
                self._done.append(fetch.fail(ErrorKind.INTERNAL, detail, monotonic()))
            elif self._held:
                self._done.append(fetch.fail(ErrorKind.CANCELLED, _HELD_BACK, monotonic()))
            else:
                self._fetches[request.key] = fetch
                self._schedule.push(request.host, request.host_limits, fetch)

    def _cancel(self, keys: Iterable[int]) -> None:
        now = monotonic()
        for key in keys:
            fetch = self._fetches.get(key)
            if fetch is not None:
                self._give_up(fetch, ErrorKind.CANCELLED, "cancelled", now)

    def _hold(self) -> None:
        self._held = True
        now = monotonic()
        for fetch in [fetch for fetch in self._fetches.values() if fetch.started is None]:
            self._give_up(fetch, ErrorKind.CANCELLED, _HELD_BACK, now)

    def _go_on(self) -> None:
        self._held = False

    def _resize(self, capacity: int) -> None:
        self._capacity = capacity
        self._multi.keep(capacity)

    # The way of a fetch: start, end, then redirect or report.

    def _fill(self, now: float) -> None:
        while len(self._running) < self._capacity:
            fetch = self._schedule.pop(now)
            if fetch is None:
                return
            self._start(fetch, now)

    def _start(self, fetch: Fetch, now: float) -> None:
        self._between_hops.discard(fetch)
        transfer = self._idle.pop() if self._idle else self._new_transfer()
        try:
            transfer.begin(fetch, now)
            self._multi.add(transfer.curl)
        except Exception as error:
            # Whatever the handle was left with, it carries nothing else.
            log.exception("request %s could not be started", fetch.request.key)
            transfer.curl.close()
            fetch.transfer = None
            self._schedule.release(fetch.hop.host, now)
            self._report(fetch, fetch.fail(ErrorKind.INTERNAL, f"could not start: {error}", now))
        else:
            self._running[transfer.curl] = fetch

    def _end_hop(self, fetch: Fetch, code: int, message: str, now: float) -> None:
        transfer = self._detach(fetch, now)
        response = transfer.finish(code, message, now)
        self._idle.append(transfer)
        if response.error is ErrorKind.CLIENT_ERROR and response.status in REDIRECTS:
            self._redirect(fetch, response)
        else:
            self._report(fetch, response)

    def _redirect(self, fetch: Fetch, response: Response) -> None:
        location = header(response.headers, "location")
        if location is None or response.status is None:
            self._report(fetch, response)
            return
        if len(fetch.redirects) >= fetch.request.limits.max_redirects:
            response.error = ErrorKind.TOO_MANY_REDIRECTS
            response.detail = f"more than {fetch.request.limits.max_redirects} redirects"
            self._report(fetch, response)
            return
        try:
            hop = follow(fetch.hop, response.status, location)
        except InvalidURL as error:
            response.error, response.detail = ErrorKind.URL_DENIED, error.reason
            self._report(fetch, response)
            return
        fetch.redirects.append((response.status, fetch.hop.url))
        fetch.hop = hop
        self._between_hops.add(fetch)
        self._schedule.push_first(hop.host, hop.host_limits, fetch)

    def _sweep(self, now: float) -> None:
        self._sweep_due = now + _SWEEP_INTERVAL
        for fetch in list(self._running.values()):
            overdue = fetch.transfer.overdue(now) if fetch.transfer else None
            if overdue:
                self._give_up(fetch, *overdue, now)
        for fetch in [fetch for fetch in self._between_hops if fetch.deadline() <= now]:
            self._give_up(fetch, ErrorKind.TOTAL_TIMEOUT, "waiting for its next hop", now)

    def _give_up(self, fetch: Fetch, error: ErrorKind, detail: str, now: float) -> None:
        if fetch.transfer is None:
            self._between_hops.discard(fetch)
            self._schedule.abandon(fetch)
            self._report(fetch, fetch.fail(error, detail, now))
        else:
            transfer = self._detach(fetch, now)
            self._report(fetch, transfer.abort(error, detail, now))
            self._idle.append(transfer)

    def _detach(self, fetch: Fetch, now: float) -> Transfer:
        transfer = fetch.transfer
        if transfer is None:
            raise RuntimeError("the fetch has no transfer")
        self._multi.remove(transfer.curl)
        del self._running[transfer.curl]
        self._schedule.release(fetch.hop.host, now)
        return transfer

    def _report(self, fetch: Fetch, response: Response) -> None:
        del self._fetches[fetch.request.key]
        self._done.append(response)

    def _hand_over(self) -> None:
        if self._done:
            self._on_done(self._done)
            self._done = []

    def _close(self, error: ErrorKind, detail: str) -> None:
        with self._lock:
            self._stopping = True  # nothing comes in from here on
        while self._mail:
            self._read_mail()
        # After a failure nothing but the list of fetches is to be relied on.
        now = monotonic()
        self._done += [fetch.fail(error, detail, now) for fetch in self._fetches.values()]
        transfers = [fetch.transfer for fetch in self._running.values() if fetch.transfer]
        self._fetches.clear()
        self._running.clear()
        self._schedule = Schedule()
        try:
            self._hand_over()
        except Exception:
            log.exception("on_done failed again: %d responses are lost", len(self._done))
        self._drained.set()
        # Last, because libcurl waits here for name lookups that do not answer.
        self._multi.close()
        for transfer in (*transfers, *self._idle):
            transfer.curl.close()
