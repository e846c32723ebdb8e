"""HashWorld, as far as the chatroom needs it; `chatroom.remote` reaches it over gRPC."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Fetched:
    """A job that was handed in."""

    job: int
    accepted: int
    refusals: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job stands; counts are tasks."""

    id: int
    name: str
    total: int
    succeeded: int
    failed: int
    killed: int
    finished: bool
    note: str = ""

    @property
    def done(self) -> int:
        """How many are at their end."""
        return self.succeeded + self.failed + self.killed


class Cluster(Protocol):
    """HashWorld, as far as commands need it; `token` is the speaker's.

    Everything raises Refused with what HashWorld says against it, and Unavailable.
    """

    async def fetch(self, token: str, urls: Sequence[str], name: str) -> Fetched:
        """Hand in a job."""

    async def job(self, token: str, job: int) -> JobState:
        """How a job stands."""

    def watch(self, token: str, job: int) -> AsyncIterator[JobState]:
        """A job's states until it is finished."""

    async def kill(self, token: str, job: int, reason: str) -> str:
        """Kill a job; what was done."""

    async def retry(self, token: str, job: int, reason: str) -> str:
        """Run a job's failed tasks again; what was done."""

    async def why(self, token: str, task: int) -> Sequence[tuple[str, str]]:
        """Why a task is where it is: labels and sentences."""

    async def nodes(self, token: str) -> Sequence[tuple[str, str]]:
        """The nodes by name, and how they stand."""

    async def drain(self, token: str, node: str, reason: str) -> str:
        """Drain a node; what was done."""

    async def pause(self, token: str, host: str, reason: str) -> str:
        """Pause a host; what was done."""

    async def resume(self, token: str, host: str, reason: str) -> str:
        """Resume a host; what was done."""
