"""Pausing and limiting hosts."""

import pytest
from django.urls import reverse

from hashworld.tasks.models import Host, HostQueue, Job
from tests.integration.console.work import As

pytestmark = pytest.mark.django_db
LIST = "/admin/tasks/host/"


def ready() -> bool:
    return HostQueue.objects.filter(ready_at__isnull=False).exists()


def test_a_paused_host_gives_nothing_out_until_it_is_resumed(as_member: As, job: Job) -> None:
    operator = as_member("operator")
    chosen = {"_selected_action": [Host.objects.get().pk]}
    asked = {"action": "pause", "reason": "asked by its owner", **chosen}
    told = operator.post(LIST, asked, follow=True).content.decode()
    assert "Paused: 1 of 1 hosts." in told
    assert "paused: asked by its owner" in told
    assert not ready()
    told = operator.post(LIST, {"action": "pause", **chosen}, follow=True).content.decode()
    assert "Skipped 1: paused already." in told
    operator.post(LIST, {"action": "resume", **chosen})
    assert ready()


def test_the_form_writes_the_limits_and_nothing_else(as_member: As, job: Job) -> None:
    host = Host.objects.get()
    operator = as_member("operator")
    form = {"max_connections": "2", "min_interval": "0.5", "paused": "on", "pause_reason": "asked"}
    # What the cluster writes while the form is open must stay.
    answer = operator.post(
        reverse("admin:tasks_host_change", args=[host.pk]), {**form, "out": "99", "name": "x"}
    )
    assert answer.status_code == 302
    changed = Host.objects.get()
    assert (changed.max_connections, changed.min_interval, changed.paused) == (2, 0.5, True)
    assert (changed.name, changed.out) == (host.name, host.out)
    assert changed.ahead == 20
    assert not ready()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"min_interval": "-1"}, "Must be 0 or more, not -1.0."),
        ({"min_interval": "86401"}, "Must be at most 86400, not 86401.0."),
        ({"max_connections": "0"}, "Must be more than 0, not 0."),
        ({"max_connections": "1001"}, "Must be at most 1000, not 1001."),
    ],
)
def test_the_form_refuses_limits_that_no_node_could_fetch_under(
    as_member: As, job: Job, change: dict[str, str], told: str
) -> None:
    host = Host.objects.get()
    form = {"max_connections": "2", "min_interval": "0.5", "pause_reason": "", **change}
    page = as_member("operator").post(reverse("admin:tasks_host_change", args=[host.pk]), form)
    assert page.status_code == 200
    assert page.context["errors"] == [[told]]
    same = Host.objects.get()
    assert (same.max_connections, same.min_interval) == (host.max_connections, host.min_interval)


def test_a_host_is_found_by_the_beginning_of_its_name(as_member: As, job: Job) -> None:
    viewer = as_member("viewer")
    for query, number in (("exam", 1), ("EXAMPLE.com", 1), ("ample", 0)):
        answer = viewer.get(f"{LIST}?q={query}")
        assert len(answer.context["cl"].result_list) == number
