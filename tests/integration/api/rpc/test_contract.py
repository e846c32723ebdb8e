"""A client generated from the contract's tables alone works against the running server."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from django.contrib.auth.models import User

from hashworld.api.rpc import node_tokens
from hashworld.nodes import clock, leadership
from hashworld.nodes.leadership import Candidate
from hashworld.nodes.models import Leadership, Node
from hashworld.tasks import content
from hashworld.tasks.models import Job, Task
from hashworld.tasks.states import State
from tests.integration.api.rpc.conftest import Connect, secret
from tests.integration.api.rpc.contract import Client
from tests.integration.tasks import bodies, world

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "https://a.example/page"
NEW = "n" * 40


def refused(call: Callable[..., Any], **fields: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(**fields)
    return caught.value.code(), caught.value.details()


def create(client: Client, target: str = PAGE, **fields: Any) -> str:
    (id_, done), *others = client.Tasks.CreateTask(target=target, **fields).succeed.items()
    assert done
    assert not others
    return str(id_)


def fetched(task_id: str, body: bytes, charset: str) -> None:
    """Let the task have been fetched with this body."""
    world.node("one")
    world.run()
    task = Task.objects.get(pk=int(task_id))
    ended = bodies.ended(task, body)
    ended.charset, ended.content_type = charset, "text/html"
    writer = bodies.writer(task, content.store_for("packs", "one"))
    writer.put([ended])
    writer.run_once()


# Tasks.


def test_a_task_is_created_under_an_id_of_the_server(alices: Client, alice: User) -> None:
    id_ = create(alices, name="mine")
    task = alices.Tasks.GetTask(id=[id_])
    assert (task.id, task.name, task.target, task.type) == (id_, "mine", PAGE, "GET")
    assert task.state == State.WAITING
    assert list(task.results) == []
    assert Job.objects.get().owner == alice


def test_a_clients_own_id_is_kept_for_later_calls(alices: Client) -> None:
    assert create(alices, id="order-7") == "order-7"
    assert alices.Tasks.GetTask(id=["order-7"]).id == "order-7"
    assert list(alices.Tasks.ListTask().id) == ["order-7"]
    assert dict(alices.Tasks.KillTask(id=["order-7"]).succeed) == {"order-7": True}
    assert dict(alices.Tasks.DelTask(id=["order-7"]).succeed) == {"order-7": True}
    assert refused(alices.Tasks.GetTask, id=["order-7"])[0] == grpc.StatusCode.NOT_FOUND


def test_a_repeat_under_an_own_id_is_the_task_of_then(alices: Client) -> None:
    for _ in range(3):
        create(alices, id="once")
    assert Task.objects.count() == 1
    code, details = refused(alices.Tasks.CreateTask, id="once", target="https://b.example/")
    assert code == grpc.StatusCode.FAILED_PRECONDITION
    assert "'once' is taken" in details


def test_an_own_id_is_free_again_once_its_task_is_deleted(alices: Client) -> None:
    create(alices, id="again")
    alices.Tasks.KillTask(id=["again"])
    alices.Tasks.DelTask(id=["again"])
    create(alices, "https://b.example/", id="again")
    assert alices.Tasks.GetTask(id=["again"]).target == "https://b.example/"


def test_an_own_id_that_looks_like_a_number_goes_before_the_servers(alices: Client) -> None:
    first = create(alices)
    create(alices, "https://b.example/", id=first)
    assert alices.Tasks.GetTask(id=[first]).target == "https://b.example/"


def test_own_ids_of_two_people_do_not_meet(
    alices: Client, connect: Connect, bob: User, alice: User
) -> None:
    bobs = connect(secret(bob))
    create(alices, id="same")
    assert refused(bobs.Tasks.GetTask, id=["same"])[0] == grpc.StatusCode.NOT_FOUND
    create(bobs, "https://b.example/", id="same")
    assert alices.Tasks.GetTask(id=["same"]).target == PAGE


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"target": ""}, "target: "),
        ({"target": "ftp://a.example/"}, "target: scheme 'ftp' is not allowed"),
        ({"target": "https://a.example:22/"}, "target: port 22 is not allowed"),
        ({"target": PAGE, "type": "FETCH"}, "method: must be one of"),
        ({"target": PAGE, "id": "x" * 201}, "id: must have at most 200"),
        ({"target": PAGE, "id": "a\nb"}, "id: must have at most 200 printable"),
        ({"target": PAGE, "name": "x" * 201}, "name: must have at most 200"),
    ],
)
def test_what_cannot_be_created_is_told_by_field(
    alices: Client, fields: dict[str, Any], told: str
) -> None:
    code, details = refused(alices.Tasks.CreateTask, **fields)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert told in details
    assert not Task.objects.exists()


def test_all_that_the_caller_may_see_is_listed(
    alices: Client, connect: Connect, operator: User, bob: User
) -> None:
    ids = [create(alices, f"https://a.example/{i}") for i in range(3)]
    assert sorted(alices.Tasks.ListTask().id) == ids
    assert list(connect(secret(bob)).Tasks.ListTask().id) == []
    assert sorted(connect(secret(operator)).Tasks.ListTask().id) == ids


def test_tasks_are_listed_by_state(alices: Client) -> None:
    killed, waiting = create(alices), create(alices)
    alices.Tasks.KillTask(id=[killed])
    assert list(alices.Tasks.ListTask(state=[State.KILLED]).id) == [killed]
    assert list(alices.Tasks.ListTask(state=[State.WAITING, State.RUNNING]).id) == [waiting]
    assert sorted(alices.Tasks.ListTask(state=[0, 5]).id) == [killed, waiting]
    code, details = refused(alices.Tasks.ListTask, state=[6])
    assert (code, details) == (grpc.StatusCode.INVALID_ARGUMENT, "state: 6 is none of 0 to 5")


def test_each_id_is_answered_for_and_unknown_ones_are_false(alices: Client, his: Job) -> None:
    mine = create(alices)
    others = str(world.tasks(his)[0].pk)
    asked = [mine, others, "999999", "no such", "9" * 30]
    expected = {mine: True, others: False, "999999": False, "no such": False, "9" * 30: False}
    assert dict(alices.Tasks.DelTask(id=asked).succeed) == dict.fromkeys(asked, False)
    assert dict(alices.Tasks.KillTask(id=asked).succeed) == expected
    assert alices.Tasks.GetTask(id=[mine]).state == State.KILLED
    assert dict(alices.Tasks.KillTask(id=asked).succeed) == dict.fromkeys(asked, False)
    assert dict(alices.Tasks.DelTask(id=asked).succeed) == expected
    assert Task.objects.filter(job=his, state=State.WAITING).exists()


@pytest.mark.parametrize("method", ["GetTask", "GetTaskResult", "KillTask", "DelTask"])
def test_a_call_without_an_id_is_refused(alices: Client, method: str) -> None:
    code, details = refused(getattr(alices.Tasks, method))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert details.startswith("id: ")


@pytest.mark.parametrize("method", ["GetTask", "GetTaskResult"])
def test_of_two_ids_none_is_chosen(alices: Client, method: str) -> None:
    code, _ = refused(getattr(alices.Tasks, method), id=[create(alices), create(alices)])
    assert code == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("body", "charset", "code"),
    [
        (b"<html>plain</html>", "utf-8", "<html>plain</html>"),
        ("日本語".encode("shift_jis"), "shift_jis", "日本語"),
        ("\ufeffmarked".encode(), "utf-8", "marked"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "", ""),
    ],
)
def test_the_result_is_the_decoded_source(
    alices: Client, body: bytes, charset: str, code: str
) -> None:
    id_ = create(alices)
    assert refused(alices.Tasks.GetTaskResult, id=[id_])[0] == grpc.StatusCode.NOT_FOUND
    fetched(id_, body, charset)
    assert alices.Tasks.GetTaskResult(id=[id_]).code == code
    task = alices.Tasks.GetTask(id=[id_])
    assert task.state == State.SUCCEED
    assert [result.code for result in task.results] == [code]


# HeartBeats.


@pytest.fixture
def token(admin: User) -> str:
    return node_tokens.issue(admin, "far-away")


@pytest.fixture
def node(connect: Connect, token: str) -> Client:
    """A client that is a node without Celery."""
    return connect(token)


def test_a_node_without_celery_beats_and_is_asked_after(node: Client, alices: Client) -> None:
    ask = alices.HeartBeats.IsAlive
    assert not ask(alive=True, who="far-away").ok  # a person's call is a question
    assert node.HeartBeats.IsAlive(alive=True, who="far-away").ok
    assert ask(who="far-away").ok
    Node.objects.update(seen_at=clock.now() - timedelta(minutes=1))
    assert not node.HeartBeats.IsAlive(who="far-away").ok
    node.HeartBeats.IsAlive(alive=True)
    assert ask(who="far-away").ok


def test_a_node_that_only_beats_is_given_no_work(node: Client) -> None:
    node.HeartBeats.IsAlive(alive=True)
    assert not Node.objects.available(clock.now()).exists()


def test_a_node_beats_for_nobody_else(node: Client, admin: User) -> None:
    other = world.node("other")
    world.silence(other)
    code, _ = refused(node.HeartBeats.IsAlive, alive=True, who="other")
    assert code == grpc.StatusCode.PERMISSION_DENIED
    assert not node.HeartBeats.IsAlive(who="other").ok
    assert refused(connectless(node))[0] == grpc.StatusCode.UNAUTHENTICATED


def connectless(client: Client) -> Callable[..., Any]:
    """The same call without a token."""
    return Client(client._channel).HeartBeats.IsAlive  # type: ignore[no-any-return]


def test_a_beat_of_a_node_that_works_leaves_its_row_as_it_is(connect: Connect, admin: User) -> None:
    worker = world.node("worker")
    world.silence(worker)
    connect(node_tokens.issue(admin, "worker")).HeartBeats.IsAlive(alive=True)
    after = Node.objects.get(name="worker")
    assert (after.state, after.incarnation) == ("alive", worker.incarnation)
    assert after.seen_at > clock.now() - timedelta(seconds=5)


def test_ask_alive_wants_name_host_and_token(node: Client, token: str) -> None:
    node.HeartBeats.IsAlive(alive=True)
    host = Node.objects.get().hostname
    ask = node.HeartBeats.AskAlive
    assert ask(name="far-away", token=token, host=host).ok
    assert ask(name="far-away", token=token).ok
    assert not ask(name="far-away", token=token, host="elsewhere").ok
    assert not ask(name="far-away", token="wrong", host=host).ok
    assert not ask(name="far-away", host=host).ok
    assert not ask(name="nobody", token=token).ok
    assert refused(ask, token=token)[0] == grpc.StatusCode.INVALID_ARGUMENT


def test_who_names_no_node_is_told_so(alices: Client) -> None:
    code, details = refused(alices.HeartBeats.IsAlive)
    assert (code, details) == (grpc.StatusCode.INVALID_ARGUMENT, "who: name the node")


# Elections.


def test_a_node_competes_now_and_hears_who_leads(node: Client, token: str) -> None:
    elect = node.Elections.RequestElection
    assert dict(elect(sec_code=token).succeed) == {"far-away": True}
    first = Leadership.objects.get()
    assert dict(elect(sec_code=token).succeed) == {"far-away": True}
    renewed = Leadership.objects.get()
    assert renewed.term == first.term
    assert renewed.expires_at > first.expires_at


def test_a_master_that_leads_keeps_its_term(node: Client, token: str) -> None:
    Candidate("scheduler/1").run_once()
    assert dict(node.Elections.RequestElection(sec_code=token).succeed) == {"scheduler": False}


def test_a_scheduler_that_stands_by_goes_before_a_node(node: Client, token: str) -> None:
    Candidate("scheduler/1").run_once()
    Leadership.objects.update(expires_at=clock.now() - timedelta(seconds=0.2))
    assert dict(node.Elections.RequestElection(sec_code=token).succeed) == {}
    patience = 2 * leadership.length() * leadership.LOOK
    Leadership.objects.update(expires_at=clock.now() - timedelta(seconds=patience + 0.2))
    assert dict(node.Elections.RequestElection(sec_code=token).succeed) == {"far-away": True}


def test_only_the_nodes_own_secret_lets_it_compete(
    node: Client, token: str, admin: User, alices: Client
) -> None:
    others = node_tokens.issue(admin, "other")
    for call, wrong in ((node, "wrong"), (node, others), (alices, token)):
        code, _ = refused(call.Elections.RequestElection, sec_code=wrong)
        assert code == grpc.StatusCode.PERMISSION_DENIED
    assert refused(node.Elections.RequestElection)[0] == grpc.StatusCode.INVALID_ARGUMENT
    assert not Leadership.objects.exists()


def test_a_nodes_token_is_verified(node: Client, token: str) -> None:
    verify = node.Elections.VerifyNode
    assert dict(verify(name="far-away", token=token).succeed) == {"far-away": True}
    assert dict(verify(name="far-away", token="wrong").succeed) == {"far-away": False}
    assert dict(verify(name="other", token=token).succeed) == {"other": False}
    assert refused(verify, token=token)[0] == grpc.StatusCode.INVALID_ARGUMENT


def test_a_node_rotates_its_token_with_the_old_one_as_proof(
    node: Client, token: str, connect: Connect
) -> None:
    update = node.Elections.UpdateSecret
    assert dict(update(name="far-away", token=NEW).succeed) == {"far-away": True}
    assert refused(update, token="m" * 40)[0] == grpc.StatusCode.UNAUTHENTICATED
    renewed = connect(NEW)
    assert dict(renewed.Elections.VerifyNode(name="far-away", token=NEW).succeed)["far-away"]
    assert not dict(renewed.Elections.VerifyNode(name="far-away", token=token).succeed)["far-away"]


def test_of_two_rotations_with_one_token_one_wins(token: str) -> None:
    assert node_tokens.rotate("far-away", token, NEW)
    assert not node_tokens.rotate("far-away", token, "m" * 40)
    assert node_tokens.holder(NEW) == "far-away"


@pytest.mark.parametrize("new", ["", "short", "with a space " * 4, "hw_" + "x" * 40, "x" * 201])
def test_a_token_that_could_be_guessed_or_not_carried_is_refused(node: Client, new: str) -> None:
    code, details = refused(node.Elections.UpdateSecret, name="far-away", token=new)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert details.startswith("token: ")


def test_a_node_changes_no_other_nodes_token(node: Client, alices: Client) -> None:
    for client in (node, alices):
        code, _ = refused(client.Elections.UpdateSecret, name="other", token=NEW)
        assert code == grpc.StatusCode.PERMISSION_DENIED
