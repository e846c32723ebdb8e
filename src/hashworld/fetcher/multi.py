"""libcurl's multi interface driven by epoll: handles in, ended handles out."""

import os
import select
from collections.abc import Iterator
from math import inf
from time import monotonic

import pycurl

_EVENTS = 32  # sockets served in one turn; few, so that bodies go out while the cache holds them

_EPOLL_EVENTS = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}


class Multi:
    """Runs many libcurl handles on one thread; only `wake` may be called from another."""

    def __init__(self, max_idle_connections: int) -> None:
        self._due = inf  # when libcurl wants to be called even if no socket is ready
        self._watched: set[int] = set()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._wake, select.EPOLLIN)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self.keep(max_idle_connections)

    def keep(self, max_idle_connections: int) -> None:
        """Keep at most so many connections open that nothing uses."""
        self._multi.setopt(pycurl.M_MAXCONNECTS, max_idle_connections)

    def add(self, curl: pycurl.Curl) -> None:
        """Start a handle; it gets going on the next turn."""
        self._multi.add_handle(curl)

    def remove(self, curl: pycurl.Curl) -> None:
        """Take a handle back, ended or not; one that was not loses its connection."""
        self._multi.remove_handle(curl)

    def wake(self) -> None:
        """End the wait of the turn under way, or of the next."""
        os.eventfd_write(self._wake, 1)

    def turn(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for something to do, and do it."""
        timeout = max(0.0, min(timeout, self._due - monotonic()))
        for fd, events in self._epoll.poll(timeout, _EVENTS):
            if fd == self._wake:
                os.eventfd_read(fd)
            else:
                self._multi.socket_action(fd, _curl_events(events))
        if self._due <= monotonic():
            self._due = inf
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def ended(self) -> Iterator[tuple[pycurl.Curl, int, str]]:
        """The handles that have ended, each with libcurl's error code (0 for none) and message."""
        more = 1
        while more:
            more, succeeded, failed = self._multi.info_read()
            for curl in succeeded:
                yield curl, 0, ""
            yield from failed

    def close(self) -> None:
        """Close all connections. Waits for name lookups that have not answered yet."""
        self._multi.close()
        self._epoll.close()
        os.close(self._wake)

    # Called by libcurl, which must not be called back from here.

    def _watch(self, what: int, fd: int, multi: object, data: object) -> None:
        if what == pycurl.POLL_REMOVE:
            self._watched.discard(fd)
            self._epoll.unregister(fd)
        elif fd in self._watched:
            self._epoll.modify(fd, _EPOLL_EVENTS[what])
        else:
            self._watched.add(fd)
            self._epoll.register(fd, _EPOLL_EVENTS[what])

    def _set_timer(self, timeout_ms: int) -> None:
        self._due = inf if timeout_ms < 0 else monotonic() + timeout_ms / 1000


def _curl_events(events: int) -> int:
    """libcurl's word for what epoll reports; an error or hang-up shows as readable."""
    readable = pycurl.CSELECT_IN if events & ~select.EPOLLOUT else 0
    return int(readable | (pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0))
