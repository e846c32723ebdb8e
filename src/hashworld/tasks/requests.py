"""Loading started tasks as the engine takes them."""

from collections.abc import Sequence
from functools import lru_cache

from django.conf import settings

from hashworld.fetcher.engine import Request
from hashworld.fetcher.limits import FetchLimits, HostLimits
from hashworld.tasks import rows
from hashworld.tasks.accounts import Moved
from hashworld.tasks.finishing import Running
from hashworld.tasks.lanes import lane_of
from hashworld.tasks.models import Host, Job
from hashworld.tasks.moves import Started
from hashworld.tasks.retry import RetryPolicy
from hashworld.tasks.spec import fetch_limits


class Options:
    """A job's options in the engine's terms. They never change, so they are kept."""

    def __init__(self, job: Job) -> None:
        self.method = job.method
        self.headers: tuple[tuple[str, str], ...] = tuple(job.headers.items())
        self.body = bytes(job.body) if job.body is not None else None
        self.limits: FetchLimits = fetch_limits(job.limits)
        self.verify_tls = job.verify_tls
        self.lane = lane_of(job.priority, job.owner_id)
        self.policy = RetryPolicy(job.max_attempts, job.retry_base, job.retry_cap)


@lru_cache(maxsize=1024)
def options(job_id: int) -> Options:
    """The options of a job."""
    return Options(Job.objects.get(pk=job_id))


def load(lease_id: int, tasks: Sequence[Started]) -> list[tuple[Running, Request]]:
    """The started tasks of a lease with their requests, in the same order."""
    limits = ("id", "name", "max_connections", "min_interval")
    hosts = {
        pk: (name, HostLimits(connections, interval))
        for pk, name, connections, interval in rows.select(
            limits, Host, "id", {task.host_id for task in tasks}
        )
    }
    ports = frozenset(settings.ENV.fetch_ports)
    loaded = []
    for task in tasks:
        job = options(task.job_id)
        name, host_limits = hosts[task.host_id]
        request = Request(
            key=task.id,
            url=task.url,
            host=name,
            host_limits=host_limits,
            limits=job.limits,
            method=job.method,
            headers=job.headers,
            body=job.body,
            verify_tls=job.verify_tls,
            ports=ports,
            lane=job.lane,
        )
        held = Moved(
            task.id,
            task.job_id,
            task.host_id,
            lease_id,
            task.state,
            task.attempts,
            task.losses,
        )
        loaded.append((Running(held, task.failures, job.policy), request))
    return loaded
