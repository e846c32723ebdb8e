"""The gRPC server: what it serves, within which limits, behind which certificates."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore, Timer
from typing import Any

import grpc
import structlog
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from hashworld.api import communicate_pb2
from hashworld.api.rpc import calls, elections, heartbeats, methods, tasks, watching
from hashworld.env import Environment

log = structlog.get_logger(__name__)

#: Whose import registers the methods.
SERVICES = (elections, heartbeats, tasks, watching)
MIB = 1024 * 1024
#: Bytes of a message that comes in and that goes out; clients take 4 MiB unless told otherwise.
MOST_IN, MOST_OUT = 4 * MIB, 64 * MIB
MOST_METADATA = 16 * 1024
#: Streams keep a thread each: one of so many is left for calls that answer once.
STREAMS = 0.75
#: Seconds that a client may take to send its stream.
LONGEST_INTAKE = 3600
#: Calls that may wait for a thread, for each that has one.
QUEUED = 4
#: Seconds: between two pings of a silent client, and for its answer.
PING, PONG = 30, 10
PACKAGE = "communicate"


class NotServed(Exception):
    """Methods of the proto have no function or no rule; the server does not start."""


class CannotListen(Exception):
    """The address cannot be listened on, or the certificates cannot be used."""


class Server:
    """The server on one address from `start` to `stop`."""

    def __init__(self, env: Environment, bind: str = "", threads: int = 0) -> None:
        if missing := methods.missing():
            raise NotServed(f"nobody serves, or nobody may call: {', '.join(missing)}")
        threads = threads or env.rpc_threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rpc")
        self._server = grpc.server(
            self._pool, options=_options(), maximum_concurrent_rpcs=threads * (1 + QUEUED)
        )
        self._streams = BoundedSemaphore(max(1, int(threads * STREAMS)))
        self._life = calls.Life()
        for name, service in communicate_pb2.DESCRIPTOR.services_by_name.items():
            handlers = {method.name: self._handler(name, method) for method in service.methods}
            handler = grpc.method_handlers_generic_handler(f"{PACKAGE}.{name}", handlers)
            self._server.add_generic_rpc_handlers((handler,))
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if env.rpc_reflection or env.debug:
            self._reflect()
        self.port = self._listen(env, bind or env.rpc_bind)

    def start(self) -> None:
        """Begin to serve; returns at once."""
        self._server.start()
        self._say(health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace: float) -> None:
        """Take no new calls, let those under way end within `grace` seconds, and end.

        Streams that would not end are told to come back: they end with UNAVAILABLE.
        """
        self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._life.stopping.set()
        self._server.stop(grace).wait()
        self._pool.shutdown()
        self._life.close()

    def _say(self, status: Any) -> None:
        for name in ("", *(f"{PACKAGE}.{n}" for n in communicate_pb2.DESCRIPTOR.services_by_name)):
            self._health.set(name, status)

    def _handler(self, service: str, method: Any) -> Any:
        name = f"{service}.{method.name}"
        serving = methods.REGISTER[name]
        kinds = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
        }
        kind: Callable[..., Any] = kinds[method.client_streaming, method.server_streaming]
        if method.server_streaming:
            handle = self._counted(calls.streaming(serving, name, self._life))
        elif method.client_streaming:
            handle = self._bounded(calls.unary(serving, name, self._life))
        else:
            handle = calls.unary(serving, name, self._life)
        request, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        return kind(
            handle,
            request_deserializer=request.FromString,
            response_serializer=answer.SerializeToString,
        )

    def _counted(self, handle: Any) -> Any:
        """A stream of answers: refused when streams have all the threads that they may have."""

        def count(request: Any, context: grpc.ServicerContext) -> Any:
            with self._place(context):
                yield from handle(request, context)

        return count

    def _bounded(self, handle: Any) -> Any:
        """A stream that a client sends: counted too, and cut off when it does not end."""

        def bound(requests: Any, context: grpc.ServicerContext) -> Any:
            timer = Timer(LONGEST_INTAKE, context.cancel)
            timer.daemon = True
            with self._place(context):
                timer.start()
                try:
                    return handle(requests, context)
                finally:
                    timer.cancel()

        return bound

    @contextmanager
    def _place(self, context: grpc.ServicerContext) -> Iterator[None]:
        if not self._streams.acquire(blocking=False):
            context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "This server has as many streams as it may; try another, or later.",
            )
        try:
            yield
        finally:
            self._streams.release()

    def _reflect(self) -> None:
        from grpc_reflection.v1alpha import reflection  # not wanted elsewhere

        services = [s.full_name for s in communicate_pb2.DESCRIPTOR.services_by_name.values()]
        names = [*services, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, self._server)

    def _listen(self, env: Environment, bind: str) -> int:
        credentials = server_credentials(env.rpc_tls_cert, env.rpc_tls_key, env.rpc_tls_client_ca)
        try:
            if credentials:
                return int(self._server.add_secure_port(bind, credentials))
            return int(self._server.add_insecure_port(bind))
        except RuntimeError as error:
            raise CannotListen(f"{bind} cannot be listened on: {error}") from error


def server_credentials(
    cert: str = "", key: str = "", client_ca: str = ""
) -> grpc.ServerCredentials | None:
    """TLS with this certificate (paths of PEM files), and only for clients of an authority's.

    None without any. Raises CannotListen where one is missing or cannot be read.
    """
    if not (cert or key or client_ca):
        return None
    if not (cert and key):
        raise CannotListen("TLS needs both HASHWORLD_RPC_TLS_CERT and HASHWORLD_RPC_TLS_KEY")
    try:
        pair = (Path(key).read_bytes(), Path(cert).read_bytes())
        ca = Path(client_ca).read_bytes() if client_ca else None
    except OSError as error:
        raise CannotListen(f"a certificate cannot be read: {error}") from error
    return grpc.ssl_server_credentials(
        [pair], root_certificates=ca, require_client_auth=ca is not None
    )


def _options() -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", MOST_IN),
        ("grpc.max_send_message_length", MOST_OUT),
        ("grpc.max_metadata_size", MOST_METADATA),
        ("grpc.keepalive_time_ms", PING * 1000),
        ("grpc.keepalive_timeout_ms", PONG * 1000),
        ("grpc.http2.min_ping_interval_without_data_ms", PING * 500),
        # Two servers on one port would share its clients unseen.
        ("grpc.so_reuseport", 0),
    ]
