"""What Prometheus reads, and who may."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from prometheus_client.parser import text_string_to_metric_families

from hashworld.nodes import clock
from hashworld.nodes.models import Leadership, Node
from hashworld.tasks import counts
from hashworld.tasks.counts import Count
from hashworld.tasks.models import HostQueue, Job, Lease
from tests.integration.console.work import As, MaxQueries

pytestmark = pytest.mark.django_db

Read = Callable[..., float]


@pytest.fixture
def token(settings: LazySettings) -> str:
    """A token that is configured."""
    settings.ENV = replace(settings.ENV, metrics_token="s3cret")
    return "s3cret"


@pytest.fixture
def read(root: Client) -> Read:
    """The value of a sample."""

    def value(name: str, **labels: str) -> float:
        text = root.get(reverse("metrics")).content.decode()
        [found] = [
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if (sample.name, sample.labels) == (name, labels)
        ]
        return float(found)

    return value


def status(client: Client, authorization: str) -> int:
    return client.get(reverse("metrics"), headers={"Authorization": authorization}).status_code


def test_the_bearer_of_the_token_may_read(client: Client, token: str) -> None:
    answer = client.get(reverse("metrics"), headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    assert b"hashworld_tasks" in answer.content


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic s3cret", "s3cret"]
)
def test_without_the_token_nothing_is_told(client: Client, token: str, authorization: str) -> None:
    answer = client.get(reverse("metrics"), headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert b"hashworld_tasks" not in answer.content


def test_where_no_token_is_set_no_bearer_may_read(client: Client) -> None:
    assert status(client, "Bearer ") == status(client, "Bearer x") == 401
    [line] = client.get(reverse("metrics")).content.decode().splitlines()
    assert "HASHWORLD_METRICS_TOKEN, which is not set" in line


def test_staff_may_read_without_a_token(as_member: As, client: Client) -> None:
    assert as_member("viewer").get(reverse("metrics")).status_code == 200


def test_it_is_read_and_never_written_to(root: Client) -> None:
    assert root.post(reverse("metrics")).status_code == 405


def test_the_work_is_told(read: Read, job: Job, node: Node) -> None:
    now = clock.now()
    HostQueue.objects.update(ready_at=now - timedelta(seconds=100))
    Lease.objects.create(node=node, incarnation="1", size=1, left=1, created_at=now, expires_at=now)
    assert read("hashworld_tasks", state="waiting") == 3
    assert read("hashworld_tasks", state="running") == 0
    assert read("hashworld_oldest_waiting_seconds") >= 100
    assert read("hashworld_leases_open") == 1
    assert read("hashworld_nodes_in_flight") == 40


def test_nodes_are_told_by_how_they_stand(read: Read, node: Node) -> None:
    assert read("hashworld_nodes", standing="alive") == 1
    Node.objects.update(seen_at=clock.now() - timedelta(minutes=5))
    assert read("hashworld_nodes", standing="alive") == 0
    assert read("hashworld_nodes", standing="dead") == 1


def test_the_masters_term_is_told(read: Read) -> None:
    assert (read("hashworld_master"), read("hashworld_master_term")) == (0, 0)
    now, soon = clock.now(), clock.now() + timedelta(seconds=15)
    Leadership.objects.create(
        id=1, holder="one/1", term=7, since=now, renewed_at=now, expires_at=soon
    )
    assert (read("hashworld_master"), read("hashworld_master_term")) == (1, 7)
    Leadership.objects.update(expires_at=now)
    assert (read("hashworld_master"), read("hashworld_master_term")) == (0, 0)


def test_counters_add_up_over_minutes_and_nodes(read: Read) -> None:
    now = clock.now()
    counts.add(now, [Count(1, "succeeded", 1, 100, 0.2), Count(2, "reset", 1, 5, 40.0)])
    counts.add(now - timedelta(hours=3), [Count(2, "succeeded", 1, 10, 0.01)])
    counts.add(now, [Count(1, "fenced", 2), Count(1, "kept", 2, 80), Count(0, "freed", 1, 30)])
    assert read("hashworld_tries_total", outcome="succeeded") == 2
    assert read("hashworld_tries_total", outcome="reset") == 1
    assert read("hashworld_received_bytes_total") == 115
    assert read("hashworld_results_fenced_total") == 2
    assert read("hashworld_bodies_kept_bytes_total") == 80
    assert read("hashworld_bodies_freed_bytes_total") == 30


def test_the_histogram_is_cumulative_and_in_seconds(read: Read) -> None:
    now = clock.now()
    counts.add(now, [Count(1, "succeeded", 1, 0, seconds) for seconds in (0.01, 0.2, 0.25, 99)])
    counts.add(now, [Count(1, "reset", 1, 0, 1.0), Count(1, "kept")])

    def upto(bound: str, result: str = "succeeded") -> float:
        return read("hashworld_fetch_seconds_bucket", le=bound, result=result)

    assert [upto(bound) for bound in ("0.01", "0.1", "0.25", "30.0", "+Inf")] == [1, 1, 3, 3, 4]
    assert (upto("0.5", "failed"), upto("1.0", "failed")) == (0, 1)
    assert read("hashworld_fetch_seconds_sum", result="succeeded") == pytest.approx(99.46)
    assert read("hashworld_fetch_seconds_count", result="succeeded") == 4


def test_a_scrape_costs_a_few_queries(
    root: Client, job: Job, node: Node, django_assert_max_num_queries: MaxQueries
) -> None:
    with django_assert_max_num_queries(14):
        root.get(reverse("metrics"))
