"""HashWorld over gRPC; see `chatroom.cluster.Cluster` and communicate.proto."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc
import msgspec

from chatroom import communicate_pb2 as pb
from chatroom import communicate_pb2_grpc as services
from chatroom.cluster import Fetched, JobState
from chatroom.config import Tls
from chatroom.core.errors import Code, Refused, Unavailable
from chatroom.feed import Event

#: Seconds for one call.
DEADLINE = 15.0
#: Seconds for which events wait for a server that may just be starting.
PATIENCE = 60.0
_KEEPALIVE: tuple[tuple[str, int | str], ...] = (
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
)
AWAY = "HashWorld's remote calls cannot be reached; try again"
_CODES = {
    grpc.StatusCode.PERMISSION_DENIED: Code.FORBIDDEN,
    grpc.StatusCode.UNAUTHENTICATED: Code.FORBIDDEN,
    grpc.StatusCode.NOT_FOUND: Code.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT: Code.BAD,
    grpc.StatusCode.FAILED_PRECONDITION: Code.BAD,
    grpc.StatusCode.ALREADY_EXISTS: Code.BAD,
    grpc.StatusCode.ABORTED: Code.BAD,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Code.TOO_MANY,
    grpc.StatusCode.DEADLINE_EXCEEDED: Code.TIMEOUT,
}


class RemoteCluster:
    """The cluster behind one address, "host:port"; in plain text where there is no `tls`."""

    def __init__(self, address: str, tls: Tls | None = None) -> None:
        self._channel = _channel(address, tls)
        self._tasks: Any = services.TasksStub(self._channel)  # type: ignore[no-untyped-call]
        self._beats: Any = services.HeartBeatsStub(self._channel)  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Let go of the connection."""
        await self._channel.close()

    async def fetch(self, token: str, urls: Sequence[str], name: str) -> Fetched:
        """See Cluster."""
        submission = pb.Submission(options=pb.JobOptions(name=name), target=urls)
        told = await self._call(self._tasks.CreateTasks, iter([submission]), token)
        refusals = [f"{refusal.target}: {refusal.reason}" for refusal in told.refusals]
        return Fetched(told.job, told.accepted, refusals)

    async def job(self, token: str, job: int) -> JobState:
        """See Cluster."""
        return _state(await self._call(self._tasks.GetJob, pb.JobID(id=job), token))

    async def watch(self, token: str, job: int) -> AsyncIterator[JobState]:
        """See Cluster."""
        call = self._tasks.WatchTasks(pb.Watch(job=job), metadata=_metadata(token))
        try:
            async for progress in call:
                if progress.HasField("job"):
                    yield _state(progress.job)
        except grpc.aio.AioRpcError as error:
            raise _refusal(error) from error

    async def kill(self, token: str, job: int, reason: str) -> str:
        """See Cluster."""
        return await self._act(self._tasks.KillJob, pb.JobID(id=job, reason=reason), token)

    async def retry(self, token: str, job: int, reason: str) -> str:
        """See Cluster."""
        return await self._act(self._tasks.RetryJob, pb.JobID(id=job, reason=reason), token)

    async def why(self, token: str, task: int) -> Sequence[tuple[str, str]]:
        """See Cluster."""
        told = await self._call(self._tasks.Why, pb.ID(id=[str(task)]), token)
        pairs = (("Why", told.sentence), ("What helps", told.remedy))
        return [(label, text) for label, text in pairs if text]

    async def nodes(self, token: str) -> Sequence[tuple[str, str]]:
        """See Cluster."""
        told = await self._call(self._beats.ListNodes, pb.NodeQuery(), token)
        return [(node.name, _node(node)) for node in told.node]

    async def drain(self, token: str, node: str, reason: str) -> str:
        """See Cluster."""
        return await self._act(self._beats.DrainNode, pb.NodeID(name=node, reason=reason), token)

    async def pause(self, token: str, host: str, reason: str) -> str:
        """See Cluster."""
        asked = pb.HostCommand(host=host, reason=reason)
        return await self._act(self._tasks.PauseHost, asked, token)

    async def resume(self, token: str, host: str, reason: str) -> str:
        """See Cluster."""
        asked = pb.HostCommand(host=host, reason=reason)
        return await self._act(self._tasks.ResumeHost, asked, token)

    async def events(self, token: str, after: int) -> AsyncIterator[Any]:
        """HashWorld's events after a number, for ever; raises Refused when they break off."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._channel.channel_ready()
        except TimeoutError as error:
            raise Unavailable(AWAY) from error
        call = self._tasks.WatchEvents(pb.EventQuery(after=after), metadata=_metadata(token))
        try:
            async for event in call:
                yield event
        except grpc.aio.AioRpcError as error:
            raise _refusal(error) from error

    async def _act(self, method: Callable[..., Awaitable[Any]], asked: Any, token: str) -> str:
        outcome = await self._call(method, asked, token)
        if not outcome.ok:
            raise Refused(Code.BAD, outcome.text)
        return str(outcome.text)

    async def _call(self, method: Callable[..., Awaitable[Any]], asked: Any, token: str) -> Any:
        try:
            return await method(asked, metadata=_metadata(token), timeout=DEADLINE)
        except grpc.aio.AioRpcError as error:
            raise _refusal(error) from error


class RemoteEvents:
    """See `chatroom.feed.Source`: events over gRPC, for where there is no Redis."""

    def __init__(self, cluster: RemoteCluster, token: str) -> None:
        self._cluster = cluster
        self._token = token

    async def after(self, number: int) -> AsyncIterator[Event]:
        """See Source."""
        async for event in self._cluster.events(self._token, number):
            data = msgspec.json.decode(event.data) if event.data else {}
            yield Event(event.id, event.kind, event.text, event.at, event.job, event.node, data)


def _channel(address: str, tls: Tls | None) -> grpc.aio.Channel:
    if tls is None:
        return grpc.aio.insecure_channel(address, options=_KEEPALIVE)
    name = (("grpc.ssl_target_name_override", tls.name),) if tls.name else ()
    pair = (tls.key.encode(), tls.cert.encode()) if tls.cert else (None, None)
    credentials = grpc.ssl_channel_credentials(tls.ca.encode(), *pair)
    return grpc.aio.secure_channel(address, credentials, options=(*_KEEPALIVE, *name))


def _metadata(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def _refusal(error: grpc.aio.AioRpcError) -> Refused:
    code = _CODES.get(error.code())
    if code is None:
        return Unavailable(AWAY)
    return Refused(code, error.details() or "HashWorld refused")


def _state(job: Any) -> JobState:
    note = job.pause_reason or ("The job is paused" if job.paused else "")
    return JobState(
        job.id,
        job.name,
        job.total,
        job.succeed,
        job.runtime_error,
        job.killed,
        job.finished_at > 0,
        note or (f"wanted: {job.wanted}" if job.wanted else ""),
    )


def _node(node: Any) -> str:
    parts = [node.standing]
    if node.master:
        parts.append("master")
    parts.append(f"{node.in_flight:,} of {node.max_tasks:,} in flight")
    parts.append(f"CPU {node.cpu_percent:.0f} %")
    if node.paused:
        parts.append(f"paused {node.pause_reason}".strip())
    return ", ".join(parts)
