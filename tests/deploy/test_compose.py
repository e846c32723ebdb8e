"""A stack on one host, from `make up` to its backup."""

import json
import random
import re
from pathlib import Path

import grpc
import pytest
from websockets.exceptions import InvalidStatus

from hashworld.api import communicate_pb2 as pb
from hashworld.api.communicate_pb2_grpc import TasksStub
from tests.deploy.command import pause, run
from tests.deploy.load import Load, chat, heard
from tests.deploy.site import Site
from tests.deploy.stack import Stack
from tests.deploy.visitors import Visitor
from tests.services.service import comes_true, find_binary

LABEL = "com.docker.compose.project"
APPLICATION = ("nginx", "web", "worker", "scheduler", "flower", "rpc", "chatroom")
IMAGES = ("core", "chatroom", "nginx")


def secrets(stack: Stack) -> dict[str, str]:
    return {
        path.name: path.read_text().strip()
        for path in (stack.folder / "secrets").iterdir()
        if path.name not in ("tls_certificate", "rabbitmq_definitions", "redis_acl")
    }


def total(stack: Stack) -> int:
    return sum(stack.counts().values())


def gateway(stack: Stack) -> str:
    """Who asks from this machine, as nginx sees it."""
    networks = stack.inspect("nginx")[0]["NetworkSettings"]["Networks"]
    address: str = networks[f"{stack.project}_outside"]["Gateway"]
    return address


def loops(stack: Stack) -> list[str]:
    return [each["Name"] for each in stack.inspect() if each["RestartCount"]]


def test_it_comes_up_and_tells_address_and_password_once(stack: Stack) -> None:
    said = stack.said  # type: ignore[attr-defined]
    password = secrets(stack)["admin_password"]
    services = {each["Config"]["Labels"]["com.docker.compose.service"] for each in stack.inspect()}
    assert services == {*APPLICATION, "migrate", "mysql", "rabbitmq", "redis"}
    assert stack.url in said
    assert said.count(password) == 1
    assert password not in stack.make("up")
    for each in stack.inspect():
        if each["Config"]["Labels"]["com.docker.compose.service"] == "migrate":
            assert each["State"]["ExitCode"] == 0
        else:
            assert each["State"]["Health"]["Status"] == "healthy", each["Name"]


def test_no_port_but_nginxs_is_open(stack: Stack) -> None:
    bound = {
        each["Config"]["Labels"]["com.docker.compose.service"]: each["HostConfig"]["PortBindings"]
        for each in stack.inspect()
    }
    assert {name: ports for name, ports in bound.items() if ports} == {
        "nginx": {"8443/tcp": [{"HostIp": "", "HostPort": "9443"}]}
    }


def test_no_process_of_ours_is_root_and_no_file_system_can_be_written(stack: Stack) -> None:
    for service in APPLICATION:
        for each in stack.inspect(service):
            assert each["Config"]["User"] == "10001:10001"
            assert each["HostConfig"]["ReadonlyRootfs"]
            assert each["HostConfig"]["CapDrop"] == ["ALL"]
            users = run("docker", "top", each["Id"], "-eo", "pid,uid").split()[3::2]
            assert set(users) == {"10001"}, service


def test_no_secret_is_seen_from_outside(stack: Stack) -> None:
    ids = stack.containers()
    seen = run("docker", "inspect", *ids)
    seen += "".join(run("docker", "logs", id_) for id_ in ids)
    running = run("docker", "ps", "-q", "--filter", f"label={LABEL}={stack.project}").split()
    seen += "".join(run("docker", "top", id_, "-eo", "pid,args") for id_ in running)
    seen += "".join(run("docker", "history", "--no-trunc", stack.image(name)) for name in IMAGES)
    assert [name for name, value in secrets(stack).items() if value in seen] == []


def test_the_settings_are_fit_for_deployment(stack: Stack) -> None:
    # That it may fetch from this machine is this test's wish, and is rightly warned of.
    said = run(
        *("docker", "exec", "-e", "HASHWORLD_FETCH_ALLOW_NETWORKS=", stack.containers("web")[0]),
        *("python", "src/manage.py", "check", "--deploy", "--fail-level", "WARNING"),
    )
    assert "no issues" in said


def test_a_job_of_a_thousand_urls_handed_in_through_nginx_completes(
    stack: Stack, site: Site
) -> None:
    before = total(stack)
    assert not stack.visitor().submit(site.urls(1000))
    assert stack.finishes(before + 1000, 120), stack.counts()


def test_a_receiver_outside_is_told_of_a_job_by_webhook(stack: Stack, site: Site) -> None:
    before = total(stack)
    stack.shell(
        "from django.contrib.auth.models import User; from hashworld.verbs import webhooks;"
        "admin = User.objects.get(username='admin');"
        f"webhooks.add(admin, 'http://{site.name}:8000/told', ['job.finished']); print(0)"
    )
    assert not stack.visitor().submit(site.urls(1))
    assert stack.finishes(before + 1, 60)
    told = (
        "import json; from hashworld.webhooks.models import Message;"
        "print(json.dumps(list(Message.objects.values_list('state', flat=True))))"
    )
    assert comes_true(lambda: pause() or stack.shell(told) == ["delivered"], 60), stack.shell(told)
    forget = (
        "from hashworld.webhooks.models import Webhook; Webhook.objects.all().delete(); print(0)"
    )
    stack.shell(forget)


def test_flower_is_for_who_is_signed_in_and_its_metrics_for_nobody(stack: Stack) -> None:
    stranger, visitor = Visitor(stack.url), stack.visitor()
    assert "Sign in" in stranger.get("/flower/")[1] or "login" in stranger.get("/flower/")[1]
    assert "Flower" in visitor.get("/flower/")[1]
    for path in ("/flower/metrics", "/flower/healthcheck"):
        assert visitor.get(path)[0] == 404
    assert comes_true(lambda: pause() or "worker-1" in visitor.get("/flower/workers")[1], 30)


def test_flower_changes_nothing(stack: Stack) -> None:
    visitor = stack.visitor()
    path = "/flower/api/worker/shutdown/worker-1"
    assert visitor.post(path)[0] in (401, 403, 404, 405)


def test_the_log_has_the_clients_address_and_no_query(stack: Stack) -> None:
    Visitor(stack.url).get("/admin/login/?next=/secret-query/")
    lines = [
        json.loads(line)
        for line in run("docker", "logs", *stack.containers("nginx")).splitlines()
        if line.startswith("{")
    ]
    assert not any("secret-query" in json.dumps(line) for line in lines)
    assert lines[-1]["address"] == gateway(stack)


def test_a_forged_address_is_not_believed(stack: Stack) -> None:
    run("curl", "-ks", "-H", "X-Forwarded-For: 203.0.113.9", f"{stack.url}/admin/login/")
    assert "203.0.113.9" not in run("docker", "logs", *stack.containers("nginx"))


def test_guesses_at_passwords_are_counted_by_the_address_behind_nginx(stack: Stack) -> None:
    stranger = Visitor(stack.url)
    stranger.get("/admin/login/")
    stranger.post("/admin/login/", username="nobody", password="wrong", next="/admin/")
    counted = stack.shell(
        "import json; from axes.models import AccessAttempt;"
        "print(json.dumps(list(AccessAttempt.objects.values_list('ip_address', flat=True))))"
    )
    assert counted == [gateway(stack)]


def test_two_people_talk_through_nginx(stack: Stack) -> None:
    with chat(stack) as first, chat(stack) as second:
        for person in (first, second):
            person.send(json.dumps({"t": "join", "room": "#lobby"}))
            heard(person, "joined")
        first.send(json.dumps({"t": "say", "room": "#lobby", "ref": "1", "text": "good morning"}))
        assert heard(second, "message")["text"] == "good morning"


def test_a_page_of_another_site_is_not_let_into_the_chat(stack: Stack) -> None:
    with pytest.raises(InvalidStatus) as refused, chat(stack, origin="https://evil.example"):
        pytest.fail("was let in")
    assert refused.value.response.status_code == 403


def test_the_page_of_the_chat_connects_through_nginx(stack: Stack) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    if (program := find_binary("chromium")) is None:
        pytest.skip("this machine has no Chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_context(base_url=stack.url, ignore_https_errors=True).new_page()
        page.goto("/admin/login/?next=/admin/chat/")
        page.fill("[name=username]", "admin")
        page.fill("[name=password]", secrets(stack)["admin_password"])
        page.press("[name=password]", "Enter")
        page.wait_for_selector("#hc-state[data-state=up]", timeout=60_000)
        page.fill("#hc-text", "/nodes")
        page.press("#hc-text", "Enter")
        page.locator("#hc-log li", has_text="worker-1").first.wait_for(timeout=60_000)
        browser.close()


def test_remote_calls_come_through_nginx(stack: Stack, site: Site) -> None:
    certificate = (stack.folder / "secrets" / "tls_certificate").read_bytes()
    credentials = grpc.ssl_channel_credentials(root_certificates=certificate)
    metadata = [("authorization", f"Bearer {stack.token()}")]
    before = total(stack)
    with grpc.secure_channel(stack.url.removeprefix("https://"), credentials) as channel:
        tasks = TasksStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            tasks.GetTask(pb.ID(id=["through-nginx"]), timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        task = pb.Task(id="through-nginx", target=site.urls(1)[0])
        made = tasks.CreateTask(task, metadata=metadata, timeout=10)
        assert made.succeed["through-nginx"]
        watching = tasks.WatchTasks(pb.Watch(id=["through-nginx"]), metadata=metadata, timeout=60)
        assert [progress.task.state for progress in watching][-1] == pb.Task.State.SUCCEED
    assert stack.finishes(before + 1, 60)


@pytest.mark.parametrize("seed", [random.randrange(1000)])
def test_servers_that_restart_in_any_order_under_load_lose_nothing(
    stack: Stack, site: Site, seed: int
) -> None:
    order = random.Random(seed).sample(["mysql", "rabbitmq", "redis"], 3)
    before = total(stack)
    assert not stack.visitor().submit(site.urls(3000))
    for service in order:
        stack.docker("restart", service)
    assert comes_true(
        lambda: pause() or stack.make("ps").count("(healthy)") == len(stack.containers()) - 1, 120
    )
    assert stack.finishes(before + 3000, 240), (order, stack.counts())
    assert loops(stack) == []


def test_four_workers_share_the_lands_and_three_leave_without_loss(
    stack: Stack, site: Site
) -> None:
    before, losses = total(stack), stack.losses()
    stack.make("scale", WORKERS=4)
    assert comes_true(
        lambda: pause() or [lands > 150 for lands in stack.nodes().values()] == [True] * 4, 30
    ), stack.nodes()
    assert set(stack.nodes()) == {"worker-1", "worker-2", "worker-3", "worker-4"}
    assert not stack.visitor().submit(site.urls(2000))
    stack.make("scale", WORKERS=1)
    assert stack.finishes(before + 2000, 120), stack.counts()
    assert stack.nodes() == {"worker-1": 1024}
    assert stack.losses() == losses


def test_the_databases_password_is_changed_under_load_and_loses_nothing(
    stack: Stack, site: Site
) -> None:
    before, losses, password = total(stack), stack.losses(), secrets(stack)["mysql_password"]
    assert not stack.visitor().submit(site.urls(2000))
    stack.follow("The database has to be told its new password")
    assert secrets(stack)["mysql_password"] != password
    assert stack.finishes(before + 2000, 120), stack.counts()
    assert stack.losses() == losses


def test_a_deployment_and_its_rollback_under_load_refuse_and_lose_nothing(
    stack: Stack, site: Site, images: tuple[str, str]
) -> None:
    before = total(stack)
    with Load(stack, site) as load:
        stack.make("deploy", TAG=images[1])
        assert stack.image("core").endswith(images[1])
        stack.make("rollback")
        assert stack.image("core").endswith(images[0])
    assert load.failed == []
    assert load.answered > 100
    assert stack.finishes(before + load.tasks, 120), stack.counts()
    assert loops(stack) == []


def test_a_version_that_is_not_healthy_goes_back_by_itself(
    stack: Stack, site: Site, broken: str
) -> None:
    before = total(stack)
    with Load(stack, site) as load:
        said = stack.make("deploy", check=False, TAG=broken)
    assert "runs again" in said
    assert load.failed == []
    assert {each["Config"]["Image"] for each in stack.inspect("web")} == {"hashworld/core:test-one"}
    assert stack.finishes(before + load.tasks, 120), stack.counts()


def test_a_backup_brings_back_what_was_there_while_the_queue_lives(
    stack: Stack, site: Site, tmp_path: Path
) -> None:
    before = total(stack)
    visitor = stack.visitor()
    assert not visitor.submit(site.urls(2000))
    stack.make("backup", TO=tmp_path / "backup")
    assert stack.finishes(before + 2000, 120)
    assert not visitor.submit(site.urls(500))
    said = stack.make("restore", FROM=tmp_path / "backup")
    assert re.search("restored", said)
    assert stack.finishes(before + 2000, 180), stack.counts()
    assert " 0 damaged" in stack.make("verify")


def test_a_backup_that_is_damaged_is_not_restored(stack: Stack, site: Site, tmp_path: Path) -> None:
    stack.make("backup", TO=tmp_path / "backup")
    with (tmp_path / "backup" / "database.sql.gz").open("ab") as file:
        file.write(b"x")
    before = total(stack)
    assert "is damaged" in stack.make("restore", check=False, FROM=tmp_path / "backup")
    assert total(stack) == before


def test_two_stacks_stand_side_by_side(stack: Stack, images: tuple[str, str]) -> None:
    other = Stack("hwtest-two", 9444)
    try:
        other.make("up", TAG=images[0])
        assert other.shell("print(0)") == 0
        assert total(other) == 0
        assert secrets(other)["mysql_password"] != secrets(stack)["mysql_password"]
        assert stack.visitor().get("/admin/")[0] == 200
        assert other.visitor().get("/admin/")[0] == 200
    finally:
        other.remove()


def test_migrations_need_no_service() -> None:
    said = run("make", "migrations", "PROJECT=hwtest-none", "TAG=test-one")
    assert "No changes detected" in said
