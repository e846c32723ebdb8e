"""What surrounds every call: who calls, what went wrong in gRPC's words, and the database.

A thread of the server keeps its database connection from call to call, as a web worker does; one
that is broken or old is closed before and after each call, and asked for a sign of life when it is
used again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, NoReturn

import grpc
import structlog
from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    InterfaceError,
    close_old_connections,
    connections,
)

from hashworld.api.rpc import access
from hashworld.api.rpc.access import Caller, Unknown
from hashworld.api.rpc.methods import Method
from hashworld.verbs import errors

log = structlog.get_logger(__name__)

_CODES = {
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Conflict: grpc.StatusCode.FAILED_PRECONDITION,
    errors.QuotaExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
}


class Life:
    """What the calls of one server share: whether it stops, and its threads' connections."""

    def __init__(self) -> None:
        self.stopping = Event()
        self._connections: set[Any] = set()

    def begin(self) -> None:
        """Let this thread's connection be fit for a call."""
        close_old_connections()
        self._connections.add(connections[DEFAULT_DB_ALIAS])

    def close(self) -> None:
        """Close what the threads had, once no call uses it any more."""
        for used in self._connections:
            used.inc_thread_sharing()
            used.close()
            used.dec_thread_sharing()


class Call:
    """One call of a method, as its function sees it."""

    def __init__(self, caller: Caller, context: grpc.ServicerContext, stopping: Event) -> None:
        self.caller = caller
        self._context = context
        self._stopping = stopping

    @property
    def user(self) -> Any:
        """The person who calls; raises Forbidden for a node."""
        return self.caller.user

    def goes_on(self) -> bool:
        """Whether somebody still waits for the answer, and may: raises Stopping if not."""
        if self._stopping.is_set():
            raise Stopping
        return bool(self._context.is_active())

    def wait(self, seconds: float) -> None:
        """Wait, but not while the server stops."""
        self._stopping.wait(seconds)


class Stopping(Exception):
    """The server stops, and a stream must end."""


def unary(method: Method, name: str, life: Life) -> Any:
    """A handler of a method that answers once."""

    def handle(request: Any, context: grpc.ServicerContext) -> Any:
        with _call(method, name, context, life) as call:
            return method.function(call, request)

    return handle


def streaming(method: Method, name: str, life: Life) -> Any:
    """A handler of a method that answers with a stream."""

    def handle(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        with _call(method, name, context, life) as call:
            yield from method.function(call, request)

    return handle


@contextmanager
def _call(method: Method, name: str, context: grpc.ServicerContext, life: Life) -> Iterator[Call]:
    life.begin()
    try:
        caller = access.identify(context.invocation_metadata())
        method.rule.require(caller)
        yield Call(caller, context, life.stopping)
    except Stopping:
        _end(context, grpc.StatusCode.UNAVAILABLE, "The server stops; come back.")
    except Unknown as error:
        _end(context, grpc.StatusCode.UNAUTHENTICATED, f"{error}")
    except errors.VerbError as error:
        if isinstance(error, errors.QuotaExceeded):
            context.set_trailing_metadata((("retry-after", str(error.retry_after)),))
        _end(context, _CODES[type(error)], str(error))
    except (DatabaseError, InterfaceError) as error:
        log.warning("a remote call met a database that is away", method=name, error=str(error))
        _end(context, grpc.StatusCode.UNAVAILABLE, "The database is away; try again.")
    except grpc.RpcError:
        raise  # the client's stream broke off
    except Exception:
        if not context.is_active():
            raise
        log.exception("a remote call failed", method=name)
        _end(context, grpc.StatusCode.INTERNAL, "The server failed; its log tells why.")
    finally:
        close_old_connections()


def _end(context: grpc.ServicerContext, code: grpc.StatusCode, details: str) -> NoReturn:
    # gRPC ends a call by an exception of its own, which nothing else may catch.
    context.abort(code, details.encode(errors="replace").decode()[:1000])
    raise AssertionError("unreachable")
