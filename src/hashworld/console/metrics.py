"""What a Prometheus server reads: the cluster's gauges and counters, from rows that are few.

Everything comes from the database, so that any web process tells the same and a counter outlives
all processes.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from hashworld.console import figures
from hashworld.nodes import clock, leadership
from hashworld.nodes.models import Node, Standing
from hashworld.tasks import counts, latency
from hashworld.tasks.models import Lease


class ClusterCollector(Collector):
    """Reads the figures anew for each scrape."""

    def collect(self) -> Iterator[Metric]:
        """All gauges and counters."""
        yield from _gauges()
        yield from _counters()

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: registering reads no database."""
        return iter(())


@require_GET
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The text exposition, for the bearer of the token and for signed-in staff."""
    if not _may_read(request):
        unset = "" if settings.ENV.metrics_token else ", which is not set,"
        return HttpResponse(
            "Metrics are for whoever sends the bearer token of HASHWORLD_METRICS_TOKEN"
            f"{unset} and for people signed in as staff.\n",
            status=401,
            content_type="text/plain; charset=utf-8",
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
    registry = CollectorRegistry()
    registry.register(ClusterCollector())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


def _may_read(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    token = settings.ENV.metrics_token
    if token and scheme.lower() == "bearer" and constant_time_compare(given.strip(), token):
        return True
    return admin.site.has_permission(request)


def _gauges() -> Iterator[Metric]:
    now = clock.now()
    backlog = figures.backlog(now)
    tasks = GaugeMetricFamily(
        "hashworld_tasks", "Tasks of unfinished jobs that have not ended.", labels=["state"]
    )
    for state in ("waiting", "inqueue", "running"):
        tasks.add_metric([state], getattr(backlog, state))
    yield tasks
    yield GaugeMetricFamily(
        "hashworld_oldest_waiting_seconds",
        "How long work has waited that could be fetched at once, at most.",
        backlog.oldest,
    )
    nodes = GaugeMetricFamily("hashworld_nodes", "Nodes by how they stand.", labels=["standing"])
    standing = Counter(node.standing(now) for node in Node.objects.all())
    for each in Standing:
        nodes.add_metric([each.value], standing[each])
    yield nodes
    yield GaugeMetricFamily(
        "hashworld_leases_open",
        "Leases that answer for tasks.",
        Lease.objects.open().count(),
    )
    yield GaugeMetricFamily(
        "hashworld_nodes_in_flight",
        "Fetches under way on nodes that are there, at their last heartbeat.",
        sum(Node.objects.alive(now).values_list("in_flight", flat=True)),
    )
    master = leadership.master(now)
    yield GaugeMetricFamily("hashworld_master", "Whether there is a master.", int(bool(master)))
    yield GaugeMetricFamily(
        "hashworld_master_term", "The master's term; 0 without one.", master.term if master else 0
    )


def _counters() -> Iterator[Metric]:
    totals = counts.totals()
    tries = {kind: row for kind, row in totals.items() if kind not in counts.OTHERS}
    ended = CounterMetricFamily(
        "hashworld_tries", "Tries that ended, by outcome or kind of error.", labels=["outcome"]
    )
    ended.add_metric([counts.SUCCEEDED], tries.get(counts.SUCCEEDED, {}).get("number", 0))
    for kind, row in tries.items():
        if kind != counts.SUCCEEDED:
            ended.add_metric([kind], row["number"])
    yield ended
    received = sum(row["bytes"] for row in tries.values())
    yield CounterMetricFamily("hashworld_received_bytes", "Bytes from the network.", received)
    for kind, what in (
        (counts.FENCED, "Results refused because their lease was over."),
        (counts.KEPT, "Bodies newly kept."),
        (counts.FREED, "Bodies freed because nothing named them any more."),
    ):
        row = totals.get(kind, {})
        name = "results_fenced" if kind == counts.FENCED else f"bodies_{kind}"
        yield CounterMetricFamily(f"hashworld_{name}", what, row.get("number", 0))
        if kind != counts.FENCED:
            text = f"{what[:-1]}, in bytes as stored."
            yield CounterMetricFamily(f"hashworld_{name}_bytes", text, row.get("bytes", 0))
    yield _histogram(tries)


def _histogram(tries: dict[str, dict[str, int]]) -> Metric:
    seconds = HistogramMetricFamily(
        "hashworld_fetch_seconds", "How long tries took.", labels=["result"]
    )
    for result in ("succeeded", "failed"):
        rows = [row for kind, row in tries.items() if counts.failed(kind) == (result == "failed")]
        numbers = accumulate(sum(row[column] for row in rows) for column in latency.COLUMNS)
        bounds = [*(str(bound / 1000) for bound in latency.BOUNDS), "+Inf"]
        total = sum(row["milliseconds"] for row in rows) / 1000
        seconds.add_metric([result], list(zip(bounds, numbers, strict=True)), total)
    return seconds
