"""What a person can do with nodes, hosts and schedules."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from hashworld.nodes import control, pauses
from hashworld.nodes.errors import NoAnswer
from hashworld.nodes.models import Node, Standing
from hashworld.recurring.models import Firing, FiringState, Recurring
from hashworld.recurring.template import Template, Timing
from hashworld.tasks.models import Host, Job
from hashworld.verbs import hosts, nodes, schedules
from hashworld.verbs.errors import Forbidden, Invalid, NotFound, Unavailable
from hashworld.verbs.models import AuditEntry
from tests.integration.nodes.world import alive
from tests.integration.people import Member


@pytest.fixture
def node(person: Member) -> Node:
    return alive("berlin-1")


def test_nodes_are_told_with_how_they_stand(alice: User, node: Node) -> None:
    (seen,) = nodes.find(alice)
    assert (seen.node.name, seen.standing, seen.lands) == ("berlin-1", Standing.ALIVE, 0)
    assert nodes.find(alice, Standing.DEAD) == []
    assert nodes.get(alice, "berlin-1").node == node
    with pytest.raises(NotFound):
        nodes.get(alice, "paris-1")


@pytest.mark.parametrize("verb", [nodes.pause, nodes.unpause, nodes.drain, nodes.resume])
def test_a_submitter_controls_no_node(alice: User, node: Node, verb: Any) -> None:
    with pytest.raises(Forbidden):
        verb(alice, "berlin-1")
    with pytest.raises(Forbidden):
        nodes.set_max_tasks(alice, "berlin-1", 5)


def test_a_submitter_pauses_no_cluster(alice: User) -> None:
    for verb in (nodes.pause_cluster, nodes.resume_cluster):
        with pytest.raises(Forbidden):
            verb(alice)
    assert not pauses.cluster().paused


def test_an_operator_pauses_a_node_and_it_is_written_down(operator: User, node: Node) -> None:
    assert nodes.pause(operator, "berlin-1", "disk") is True
    node.refresh_from_db()
    assert node.paused
    assert AuditEntry.objects.get().reason == "disk"
    assert nodes.unpause(operator, "berlin-1") is True
    with pytest.raises(NotFound):
        nodes.pause(operator, "paris-1")


def test_a_node_that_does_not_answer_is_unavailable(
    operator: User, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(name: str) -> Any:
        raise NoAnswer(f"node {name} did not answer")

    monkeypatch.setattr(control, "drain", silent)
    with pytest.raises(Unavailable, match="berlin-1"):
        nodes.drain(operator, "berlin-1")
    assert not AuditEntry.objects.exists(), "nothing was done"


def test_the_size_of_a_node_is_checked(operator: User, node: Node) -> None:
    with pytest.raises(Invalid, match="max_tasks"):
        nodes.set_max_tasks(operator, "berlin-1", 0)


def test_the_cluster_is_paused_with_who_and_why(operator: User) -> None:
    assert nodes.pause_cluster(operator, "maintenance")
    seen = nodes.cluster(operator)
    assert (seen.cluster.paused_by, seen.cluster.pause_reason) == ("oscar", "maintenance")
    assert seen.master == ""
    assert nodes.resume_cluster(operator)


def test_hosts_are_found_by_how_they_begin(alice: User, hers: Job) -> None:
    assert [host.name for host in hosts.find(alice).items] == ["a.example", "b.example"]
    assert [host.name for host in hosts.find(alice, "B").items] == ["b.example"]
    first = hosts.find(alice, limit=1)
    assert [host.name for host in hosts.find(alice, cursor=first.next).items] == ["b.example"]


def test_an_operator_pauses_and_limits_hosts(operator: User, hers: Job) -> None:
    assert hosts.pause(operator, ["A.example", "b.example"], "asked to") == 2
    assert [h.name for h in hosts.find(operator, paused=True).items] == ["a.example", "b.example"]
    assert hosts.resume(operator, ["a.example"]) == 1
    changed = hosts.change(operator, "b.example", max_connections=2, min_interval=0.5)
    assert (changed.max_connections, changed.min_interval, changed.ahead) == (2, 0.5, 20)
    assert AuditEntry.objects.count() == 3


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"max_connections": 0}, "max_connections"),
        ({"max_connections": 1001}, "max_connections"),
        ({"min_interval": -1.0}, "min_interval"),
        ({"min_interval": 86_401.0}, "min_interval"),
        ({"min_interval": float("nan")}, "min_interval"),
    ],
)
def test_limits_out_of_range_are_refused(
    operator: User, hers: Job, limits: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid, match=field):
        hosts.change(operator, "a.example", **limits)


def test_an_unknown_host_is_named(operator: User, hers: Job) -> None:
    with pytest.raises(NotFound, match=r"c\.example"):
        hosts.pause(operator, ["a.example", "c.example"])
    assert not Host.objects.filter(paused=True).exists()


def test_a_submitter_changes_no_host(alice: User, hers: Job) -> None:
    for verb in (hosts.pause, hosts.resume):
        with pytest.raises(Forbidden):
            verb(alice, ["a.example"])
    with pytest.raises(Forbidden):
        hosts.change(alice, "a.example", max_connections=1)


TEMPLATE = Template("Nightly", "https://example.com/\n")
TIMING = Timing(crontab="30 2 * * *")


@pytest.fixture
def schedule(alice: User) -> Recurring:
    return schedules.create(alice, TEMPLATE, TIMING)


def test_a_schedule_is_its_owners(alice: User, bob: User, schedule: Recurring) -> None:
    assert [found.pk for found in schedules.find(alice).items] == [schedule.pk]
    assert schedules.find(bob).items == []
    for verb in (schedules.pause, schedules.resume, schedules.fire, schedules.delete):
        with pytest.raises(NotFound):
            verb(bob, schedule.pk)
    assert schedules.timing(alice, schedule.pk) == TIMING


def test_a_viewer_sees_a_schedule_and_does_not_act_on_it(
    person: Member, schedule: Recurring
) -> None:
    viewer = person("viewer")
    assert schedules.get(viewer, schedule.pk).pk == schedule.pk
    for verb in (schedules.pause, schedules.resume, schedules.fire, schedules.delete):
        with pytest.raises(Forbidden):
            verb(viewer, schedule.pk)
    with pytest.raises(Forbidden):
        schedules.create(viewer, TEMPLATE, TIMING)


def test_a_schedule_is_paused_fired_changed_and_deleted(alice: User, schedule: Recurring) -> None:
    assert schedules.pause(alice, schedule.pk, "holidays")
    assert schedules.get(alice, schedule.pk).paused
    assert schedules.resume(alice, schedule.pk)
    fired = schedules.fire(alice, schedule.pk)
    assert fired.state == FiringState.SUBMITTED
    assert Job.objects.get(pk=fired.job_id).owner == alice
    assert [found.pk for found in schedules.firings(alice, schedule.pk)] == [fired.pk]
    later = Timing(crontab="30 3 * * *")
    assert (
        schedules.timing(alice, schedules.change(alice, schedule.pk, TEMPLATE, later).pk) == later
    )
    schedules.delete(alice, schedule.pk)
    assert not Firing.objects.exists()


def test_a_wrong_timing_is_named(alice: User) -> None:
    with pytest.raises(Invalid) as caught:
        schedules.create(alice, TEMPLATE, Timing(crontab="30 2"))
    assert caught.value.field == "crontab"
