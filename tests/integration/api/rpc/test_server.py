"""The server's limits, certificates, health and end; and what it does to the database."""

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import grpc
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hashworld.api import communicate_pb2 as pb
from hashworld.api.communicate_pb2_grpc import TasksStub
from hashworld.api.rpc import methods, server
from hashworld.api.rpc.methods import Method
from hashworld.api.rpc.server import MOST_IN, CannotListen, Server
from hashworld.tasks.models import Job
from hashworld.verbs.errors import QuotaExceeded
from tests.conftest import WaitUntil
from tests.integration.api.rpc.conftest import secret
from tests.services import Cluster

pytestmark = pytest.mark.django_db(transaction=True)


def call(channel: grpc.Channel, user: User, request: Any = None, **options: Any) -> Any:
    metadata = [("authorization", f"Bearer {secret(user)}")]
    return TasksStub(channel).ListTask(
        request or pb.Query(), metadata=metadata, **({"timeout": 20} | options)
    )


def code(channel: grpc.Channel, user: User, **options: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, user, **options)
    found: grpc.StatusCode = caught.value.code()
    return found


def serve(monkeypatch: pytest.MonkeyPatch, function: Any) -> None:
    """Let ListTask be served by another function, for servers that are made from now on."""
    rule = methods.REGISTER["Tasks.ListTask"].rule
    monkeypatch.setitem(methods.REGISTER, "Tasks.ListTask", Method(function, rule))


@pytest.fixture
def another() -> Iterator[Any]:
    """Start servers with other settings; channels to them."""
    made: list[Any] = []

    def start(**changes: Any) -> tuple[Server, grpc.Channel]:
        threads = {"rpc_threads": 4} | changes
        server = Server(dataclasses.replace(settings.ENV, **threads), "127.0.0.1:0")
        server.start()
        channel = grpc.insecure_channel(f"127.0.0.1:{server.port}")
        made.append((server, channel))
        return server, channel

    yield start
    for started, channel in made:
        channel.close()
        started.stop(1)


def test_a_message_that_is_too_large_is_refused(channel: grpc.Channel, alice: User) -> None:
    large = pb.Query(host="x" * MOST_IN)
    assert code(channel, alice, request=large) == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert call(channel, alice).id == []


def test_a_fault_of_ours_is_told_without_its_details(
    monkeypatch: pytest.MonkeyPatch, another: Any, alice: User
) -> None:
    def broken(call: Any, request: Any) -> Any:
        raise ZeroDivisionError("a secret of ours")

    serve(monkeypatch, broken)
    _, channel = another()
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, alice)
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert "secret" not in caught.value.details()


def test_who_has_too_much_is_told_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch, another: Any, alice: User
) -> None:
    def full(call: Any, request: Any) -> Any:
        raise QuotaExceeded("enough for today", retry_after=60)

    serve(monkeypatch, full)
    _, channel = another()
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, alice)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert ("retry-after", "60") in [(k, v) for k, v in caught.value.trailing_metadata()]


def test_streams_leave_threads_for_other_calls(another: Any, alice: User) -> None:
    _, channel = another()
    metadata = [("authorization", f"Bearer {secret(alice)}")]
    watch = TasksStub(channel).WatchEvents
    streams = [watch(pb.EventQuery(), metadata=metadata, timeout=20) for _ in range(4)]
    ended = [stream for stream in streams if _refused(stream)]
    assert len(ended) >= 1
    assert call(channel, alice).id == []
    for stream in streams:
        stream.cancel()


def test_a_stream_that_a_client_does_not_end_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, another: Any, alice: User
) -> None:
    monkeypatch.setattr(server, "LONGEST_INTAKE", 1)
    _, channel = another()
    metadata = [("authorization", f"Bearer {secret(alice)}")]
    for_ever = Event()

    def silent() -> Iterator[pb.Submission]:
        yield pb.Submission(target=["https://a.example/"])
        for_ever.wait(30)

    with pytest.raises(grpc.RpcError) as caught:
        TasksStub(channel).CreateTasks(silent(), metadata=metadata, timeout=20)
    for_ever.set()
    assert caught.value.code() == grpc.StatusCode.CANCELLED
    assert not Job.objects.filter(sealed_at__isnull=False).exists()


def _refused(stream: Any) -> bool:
    """Whether a stream is ended within a moment, for there are too many."""
    answers: list[grpc.StatusCode] = []
    reader = Thread(target=lambda: answers.append(_end(stream)), daemon=True)
    reader.start()
    reader.join(1)
    return answers == [grpc.StatusCode.RESOURCE_EXHAUSTED]


def _end(stream: Any) -> grpc.StatusCode:
    try:
        next(stream)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK


def test_health_is_told_to_anybody(server: Server, channel: grpc.Channel) -> None:
    check = health_pb2_grpc.HealthStub(channel).Check
    for service in ("", "communicate.Tasks", "communicate.HeartBeats", "communicate.Elections"):
        answer = check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("shown", [True, False])
def test_methods_are_told_in_development_only(another: Any, shown: bool) -> None:
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    _, channel = another(rpc_reflection=shown)
    ask = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
    answers = ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=5)
    if not shown:
        with pytest.raises(grpc.RpcError) as caught:
            next(answers)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
        return
    told = {service.name for service in next(answers).list_services_response.service}
    assert {"communicate.Tasks", "communicate.HeartBeats", "communicate.Elections"} <= told


def test_a_stop_lets_calls_end_and_tells_streams_to_come_back(
    monkeypatch: pytest.MonkeyPatch, another: Any, alice: User, wait_until: WaitUntil
) -> None:
    begun: list[int] = []

    def slow(call: Any, request: Any) -> Any:
        begun.append(1)
        call.wait(20)  # until the server stops
        return pb.ID(id=["ended"])

    serve(monkeypatch, slow)
    running, channel = another()
    metadata = [("authorization", f"Bearer {secret(alice)}")]
    stream = TasksStub(channel).WatchEvents(pb.EventQuery(), metadata=metadata, timeout=20)
    answer = TasksStub(channel).ListTask.future(pb.Query(), metadata=metadata, timeout=20)
    wait_until(lambda: begun)
    running.stop(10)
    assert list(answer.result().id) == ["ended"]
    with pytest.raises(grpc.RpcError) as caught:
        next(stream)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert code(channel, alice, timeout=1) in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    )


@pytest.mark.servers
def test_a_connection_that_the_database_cut_is_never_used_again(
    services: Cluster, another: Any, alice: User
) -> None:
    _, channel = another()
    for _ in range(8):
        call(channel, alice)
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        (mine,) = cursor.fetchone()
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = DATABASE()")
        others = [pk for (pk,) in cursor.fetchall() if pk != mine]
        assert 1 <= len(others) <= 4  # never more than the server's threads
        for other in others:
            cursor.execute(f"KILL {other}")
    for _ in range(8):
        assert list(call(channel, alice).id) == []


# Certificates.


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server's and a client's certificate of it, and a stranger's."""
    folder = tmp_path_factory.mktemp("tls")

    def run(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    for ca in ("ca", "stranger-ca"):
        run("req", "-x509", *key, "-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-subj", f"/CN={ca}")
    for name, ca in (("server", "ca"), ("client", "ca"), ("stranger", "stranger-ca")):
        names = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        signed = ("-CA", f"{ca}.pem", "-CAkey", f"{ca}.key")
        run(
            *("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem"),
            *("-subj", f"/CN={name}", *names, *signed),
        )
    return folder


def secure(port: int, folder: Path, name: str = "") -> grpc.Channel:
    """A channel that trusts our authority, with a client's certificate if one is named."""
    key = (folder / f"{name}.key").read_bytes() if name else None
    chain = (folder / f"{name}.pem").read_bytes() if name else None
    trust = grpc.ssl_channel_credentials((folder / "ca.pem").read_bytes(), key, chain)
    return grpc.secure_channel(f"localhost:{port}", trust)


def test_with_a_certificate_it_speaks_tls_alone(
    certificates: Path, another: Any, alice: User
) -> None:
    pair = {f"rpc_tls_{n}": str(certificates / f"server.{s}") for n, s in TLS_FILES}
    running, plain = another(**pair)
    with secure(running.port, certificates) as channel:
        assert call(channel, alice).id == []
    assert code(plain, alice, timeout=3) in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    )


def test_with_an_authority_only_its_clients_come_in(
    certificates: Path, another: Any, alice: User
) -> None:
    files = {f"rpc_tls_{n}": str(certificates / f"server.{s}") for n, s in TLS_FILES}
    running, _ = another(**files, rpc_tls_client_ca=str(certificates / "ca.pem"))
    with secure(running.port, certificates, "client") as channel:
        assert call(channel, alice).id == []
    for name in ("", "stranger"):
        with secure(running.port, certificates, name) as channel:
            assert code(channel, alice, timeout=3) in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            )


TLS_FILES = (("cert", "pem"), ("key", "key"))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"key": "server.key"}, "needs both"),
        ({"client_ca": "ca.pem"}, "needs both"),
        ({"cert": "missing.pem", "key": "server.key"}, "cannot be read"),
    ],
)
def test_certificates_that_do_not_fit_are_told(
    certificates: Path, files: dict[str, str], told: str
) -> None:
    paths = {name: str(certificates / file) for name, file in files.items()}
    with pytest.raises(CannotListen, match=told):
        server.server_credentials(**paths)


def test_an_address_that_is_taken_is_told(server: Server) -> None:
    with pytest.raises(CannotListen, match="cannot be listened on"):
        Server(settings.ENV, f"127.0.0.1:{server.port}")
