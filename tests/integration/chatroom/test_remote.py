"""The channel to HashWorld: waited for at the start, in TLS where there are certificates."""

import asyncio
import logging
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from chatroom import communicate_pb2 as pb
from chatroom import communicate_pb2_grpc as services
from chatroom import config
from chatroom.bus.memory import MemoryBus, Store
from chatroom.config import Tls
from chatroom.core.errors import Unavailable
from chatroom.core.limits import DEFAULT
from chatroom.feed import Feed
from chatroom.remote import RemoteCluster, RemoteEvents
from tests.chatting import KEY, ORIGIN, until
from tests.services.service import free_port

#: How a server is given its certificate, and a client its own.
KEYS = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


class Tasks(services.TasksServicer):
    """Answers what is asked here, for whoever shows a token."""

    async def GetJob(self, request: Any, context: Any) -> Any:
        assert dict(context.invocation_metadata())["authorization"] == "Bearer hw_x"
        return pb.Job(id=request.id, total=3, succeed=1)

    async def WatchEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield pb.Event(id=request.after + 1, kind="node.dead", text="gone", data=b"{}")
        await asyncio.Event().wait()


@asynccontextmanager
async def serving(port: int, credentials: Any = None) -> AsyncIterator[int]:
    server = grpc.aio.server()
    services.add_TasksServicer_to_server(Tasks(), server)
    address = f"127.0.0.1:{port}"
    if credentials:
        port = server.add_secure_port(address, credentials)
    else:
        port = server.add_insecure_port(address)
    await server.start()
    yield port
    await server.stop(None)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """PEM texts: an authority's, and of it a server's (of the name hw.example) and a client's."""
    folder = tmp_path_factory.mktemp("tls")

    def make(*words: str) -> None:
        subprocess.run(["openssl", "req", "-x509", *KEYS, *words], cwd=folder, check=True,
                       capture_output=True)  # fmt: skip

    for ca in ("ca", "stranger"):
        make("-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-subj", f"/CN={ca}")
    for name in ("server", "client"):
        make(
            *("-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}"),
            *("-addext", "subjectAltName=DNS:hw.example", "-CA", "ca.pem", "-CAkey", "ca.key"),
        )
    return {path.name: path.read_text() for path in Path(folder).iterdir()}


async def reaches(port: int, tls: Tls | None) -> bool:
    cluster = RemoteCluster(f"127.0.0.1:{port}", tls)
    try:
        return (await cluster.job("hw_x", 7)).total == 3
    except Unavailable:
        return False
    finally:
        await cluster.close()


async def test_a_server_that_comes_up_later_is_waited_for_without_a_word(caplog):
    caplog.set_level(logging.WARNING)
    port = free_port()
    cluster = RemoteCluster(f"127.0.0.1:{port}")
    store = Store(DEFAULT)
    bus = MemoryBus(store)
    bus.up = True
    reading = asyncio.create_task(Feed(bus, RemoteEvents(cluster, "hw_x")).run())
    await asyncio.sleep(2)  # in which calls that do not wait would fail
    async with serving(port):
        await until(lambda: store.fed == "1-0")
        reading.cancel()
        await cluster.close()
    assert caplog.records == []


async def test_a_server_that_never_comes_is_told_to_be_away(monkeypatch):
    monkeypatch.setattr("chatroom.remote.PATIENCE", 0.2)
    cluster = RemoteCluster(f"127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="cannot be reached"):
        await anext(aiter(RemoteEvents(cluster, "hw_x").after(0)))
    await cluster.close()


async def test_with_an_authority_the_channel_speaks_tls_and_to_its_server_alone(certificates):
    pair = certificates["server.key"].encode(), certificates["server.pem"].encode()
    ours, stranger = certificates["ca.pem"], certificates["stranger.pem"]
    async with serving(0, grpc.ssl_server_credentials([pair])) as port:
        assert await reaches(port, Tls(ours, name="hw.example"))
        assert not await reaches(port, None), "not in plain text"
        assert not await reaches(port, Tls(stranger, name="hw.example")), "another authority's"
        assert not await reaches(port, Tls(ours)), "a certificate of another name"


async def test_where_the_server_wants_a_certificate_ours_is_shown(certificates):
    pair = certificates["server.key"].encode(), certificates["server.pem"].encode()
    wants = grpc.ssl_server_credentials(
        [pair], root_certificates=certificates["ca.pem"].encode(), require_client_auth=True
    )
    own = certificates["client.pem"], certificates["client.key"]
    async with serving(0, wants) as port:
        assert await reaches(port, Tls(certificates["ca.pem"], *own, name="hw.example"))
        assert not await reaches(port, Tls(certificates["ca.pem"], name="hw.example"))


def test_certificates_are_read_from_files(certificates, tmp_path):
    given = {"CHATROOM_SECRET": KEY, "CHATROOM_ORIGINS": ORIGIN}
    for name, file in (("CA", "ca.pem"), ("CERT", "client.pem"), ("KEY", "client.key")):
        (tmp_path / file).write_text(certificates[file])
        given[f"CHATROOM_RPC_TLS_{name}_FILE"] = str(tmp_path / file)
    tls = config.read(given).rpc_tls
    assert tls is not None
    assert (tls.ca, tls.name) == (certificates["ca.pem"].strip(), "")
    assert tls.key == certificates["client.key"].strip()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"CERT": "x", "CA": "x"}, "one needs the other"),
        ({"CERT": "x", "KEY": "x"}, "CHATROOM_RPC_TLS_CA"),
        ({"NAME": "hw.example"}, "CHATROOM_RPC_TLS_CA"),
    ],
)
def test_halves_of_tls_are_refused(given: dict[str, str], told: str):
    plain = {"CHATROOM_SECRET": KEY, "CHATROOM_ORIGINS": ORIGIN}
    with pytest.raises(config.ConfigInvalid, match=told):
        config.read(plain | {f"CHATROOM_RPC_TLS_{name}": text for name, text in given.items()})
