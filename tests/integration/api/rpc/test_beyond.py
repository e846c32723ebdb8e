"""What the door has beyond the contract: bulk, streams, jobs, hosts and nodes."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from django.contrib.auth.models import User

from hashworld.api import communicate_pb2 as pb
from hashworld.api.communicate_pb2_grpc import HeartBeatsStub, TasksStub
from hashworld.tasks import events, pursuit
from hashworld.tasks.events import Kind
from hashworld.tasks.models import Host, Job
from hashworld.tasks.states import State
from hashworld.verbs import tasks
from hashworld.verbs.models import AuditEntry
from tests.integration.api.rpc.conftest import secret
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


class As:
    """Calls a stub's methods as one person."""

    def __init__(self, stub: Any, user: User) -> None:
        self._stub = stub
        self._metadata = [("authorization", f"Bearer {secret(user)}")]

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._stub, name)
        return lambda request: method(request, metadata=self._metadata, timeout=60)


@pytest.fixture
def alices(channel: grpc.Channel, alice: User) -> As:
    return As(TasksStub(channel), alice)


@pytest.fixture
def operators(channel: grpc.Channel, operator: User) -> As:
    return As(TasksStub(channel), operator)


def parts(*targets: str, **options: Any) -> Iterator[pb.Submission]:
    yield pb.Submission(options=pb.JobOptions(**options))
    for target in targets:
        yield pb.Submission(target=[target])


def test_a_stream_of_targets_becomes_one_job(alices: As) -> None:
    urls = [f"https://a.example/{i}" for i in range(50)]
    options = {"name": "bulk", "priority": "high", "headers": {"A": "b"}, "idempotency_key": "k"}
    done = alices.CreateTasks(parts(*urls, "ftp://no", **options))
    assert (done.accepted, done.refused) == (50, 1)
    assert (done.refusals[0].line, done.refusals[0].target) == (51, "ftp://no")
    assert "scheme" in done.refusals[0].reason
    job = Job.objects.get(pk=done.job)
    assert (job.name, job.priority, job.headers, job.waiting) == ("bulk", 2, {"A": "b"}, 50)
    again = alices.CreateTasks(parts(*urls, idempotency_key="k"))
    assert (again.job, again.repeated_key) == (done.job, True)
    first = alices.GetTask(pb.ID(idempotency_key="k"))
    assert (first.target, first.job) == (urls[0], done.job)


@pytest.mark.parametrize(
    ("stream", "field"),
    [
        ([], "target"),
        ([pb.Submission()], "urls"),
        ([pb.Submission(options=pb.JobOptions(priority="urgent"), target=["x"])], "priority"),
        ([pb.Submission(options=pb.JobOptions(max_attempts=99), target=["x"])], "max_attempts"),
    ],
)
def test_a_stream_that_cannot_be_taken_is_told_by_field(
    alices: As, stream: list[pb.Submission], field: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        alices.CreateTasks(iter(stream))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details().startswith(f"{field}: ")
    assert not Job.objects.exists()


def test_a_job_is_looked_at_killed_and_retried(alices: As, hers: Job) -> None:
    assert alices.GetJob(pb.JobID(id=hers.pk)).waiting == 3
    killed = alices.KillJob(pb.JobID(id=hers.pk, reason="too many"))
    assert (killed.ok, killed.count) == (True, 3)
    pursuit.carry_out_all()
    assert alices.GetJob(pb.JobID(id=hers.pk)).killed == 3
    assert AuditEntry.objects.get(verb="kill job").reason == "too many"
    assert alices.RetryJob(pb.JobID(id=hers.pk)).ok


def test_a_task_is_retried_and_tells_why_it_does_not_run(alices: As, hers: Job) -> None:
    first, second, _ = (str(task.pk) for task in world.tasks(hers))
    alices.KillTask(pb.ID(id=[first]))
    answer = alices.RetryTask(pb.ID(id=[first, second]))
    assert dict(answer.succeed) == {first: True, second: False}
    assert dict(answer.reason) == {second: "it has not ended yet"}
    told = alices.Why(pb.ID(id=[first]))
    assert (told.task, told.cause) == (first, "no_node")
    assert told.sentence
    assert told.remedy


def test_a_host_is_paused_by_an_operator_alone(alices: As, operators: As, hers: Job) -> None:
    command = pb.HostCommand(host="a.example", reason="asked us to")
    with pytest.raises(grpc.RpcError) as caught:
        alices.PauseHost(command)
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert operators.PauseHost(command).text == "Host a.example is paused."
    assert Host.objects.get(name="a.example").pause_reason == "asked us to"
    assert operators.ResumeHost(command).text == "Host a.example is fetched again."


def test_nodes_are_listed_and_looked_at(channel: grpc.Channel, operator: User) -> None:
    world.node("one")
    world.silence(world.node("two"))
    calls = As(HeartBeatsStub(channel), operator)
    assert [node.name for node in calls.ListNodes(pb.NodeQuery()).node] == ["one"]
    every = calls.ListNodes(pb.NodeQuery(gone=True)).node
    assert [(node.name, node.standing) for node in every] == [("one", "alive"), ("two", "dead")]
    assert calls.GetNode(pb.NodeID(name="one")).max_tasks == 8
    for method in (calls.GetNode, calls.DrainNode, calls.ResumeNode):
        with pytest.raises(grpc.RpcError) as caught:
            method(pb.NodeID(name="three"))
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_lists_go_on_from_where_they_ended(alices: As, hers: Job) -> None:
    seen: list[str] = []
    after = ""
    while True:
        page = alices.ListTask(pb.Query(limit=2, after=after, job=hers.pk))
        seen += page.id
        after = page.next
        if not after:
            break
    assert sorted(map(int, seen)) == [task.pk for task in world.tasks(hers)]
    assert list(alices.ListTask(pb.Query(host="b.example")).id) == [max(seen, key=int)]
    for wrong in (pb.Query(after="nonsense"), pb.Query(limit=-1), pb.Query(limit=10_001)):
        with pytest.raises(grpc.RpcError) as caught:
            alices.ListTask(wrong)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_tasks_are_watched_until_all_have_ended(alices: As, alice: User, hers: Job) -> None:
    ids = [task.pk for task in world.tasks(hers)][:2]
    stream = alices.WatchTasks(pb.Watch(id=map(str, ids)))
    assert [next(stream).task.state for _ in ids] == [pb.Task.WAITING] * 2
    tasks.kill(alice, ids)
    assert {(p.task.id, p.task.state) for p in stream} == {(str(i), State.KILLED) for i in ids}


def test_a_job_is_watched_until_it_has_ended(alices: As, alice: User, hers: Job) -> None:
    stream = alices.WatchTasks(pb.Watch(job=hers.pk))
    assert next(stream).job.waiting == 3
    tasks.kill(alice, [task.pk for task in world.tasks(hers)])
    *_, last = stream
    assert (last.job.killed, last.job.finished_at > 0) == (3, True)


def test_events_are_watched_from_where_the_client_was(
    alices: As, alice: User, hers: Job, his: Job
) -> None:
    before = events.tell(Kind.JOB_PROGRESS, "seen already", job=hers)
    events.tell(Kind.JOB_PROGRESS, "another's", job=his)
    missed = events.tell(Kind.JOB_FINISHED, "missed", job=hers, total=3)
    stream = alices.WatchEvents(pb.EventQuery(after=before.pk, kind=["job."]))
    first = next(stream)
    assert (first.id, first.kind, first.text) == (missed.pk, "job.finished", "missed")
    assert (first.job, first.data) == (hers.pk, '{"total": 3}')
    events.tell(Kind.NODE_DEAD, "not asked for")
    fresh = events.tell(Kind.JOB_STARTED, "new", job=hers)
    assert next(stream).id == fresh.pk
    stream.cancel()


def test_events_of_the_cluster_are_for_who_sees_nodes(operators: As, alices: As) -> None:
    old = events.tell(Kind.QUOTA_HIT, "first", owner_id=None)
    told = events.tell(Kind.NODE_DEAD, "dead", node="n")
    stream = operators.WatchEvents(pb.EventQuery(after=old.pk))
    assert next(stream).id == told.pk
    stream.cancel()
    with pytest.raises(grpc.RpcError) as caught:
        next(alices.WatchEvents(pb.EventQuery(kind=["nonsense"])))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_what_is_watched_must_be_named(alices: As) -> None:
    for request in (pb.Watch(), pb.Watch(id=["1"], job=1), pb.Watch(id=["1"] * 1001)):
        with pytest.raises(grpc.RpcError) as caught:
            next(alices.WatchTasks(request))
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
