"""A stack on one host, from `make up` to its backup."""

import json
import random
import re
from pathlib import Path

import pytest

from tests.deploy.stack import Load, Site, Stack, Visitor, pause, run
from tests.services.service import comes_true

LABEL = "com.docker.compose.project"
APPLICATION = ("nginx", "web", "worker", "scheduler", "flower")


def secrets(stack: Stack) -> dict[str, str]:
    return {
        path.name: path.read_text().strip()
        for path in (stack.folder / "secrets").iterdir()
        if path.name not in ("tls_certificate", "rabbitmq_definitions", "redis_acl")
    }


def total(stack: Stack) -> int:
    return sum(stack.counts().values())


def loops(stack: Stack) -> list[str]:
    return [each["Name"] for each in stack.inspect() if each["RestartCount"]]


def test_it_comes_up_and_tells_address_and_password_once(stack: Stack) -> None:
    said = stack.said  # type: ignore[attr-defined]
    password = secrets(stack)["admin_password"]
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
    seen += "".join(
        run("docker", "history", "--no-trunc", stack.image(name)) for name in ("core", "nginx")
    )
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
    gateway = stack.inspect("nginx")[0]["NetworkSettings"]["Networks"]["hwtest_outside"]["Gateway"]
    assert lines[-1]["address"] == gateway


def test_a_forged_address_is_not_believed(stack: Stack) -> None:
    run("curl", "-ks", "-H", "X-Forwarded-For: 203.0.113.9", f"{stack.url}/admin/login/")
    assert "203.0.113.9" not in run("docker", "logs", *stack.containers("nginx"))


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
    before = total(stack)
    stack.make("scale", WORKERS=4)
    assert comes_true(
        lambda: pause() or [lands > 150 for lands in stack.nodes().values()] == [True] * 4, 30
    ), stack.nodes()
    assert set(stack.nodes()) == {"worker-1", "worker-2", "worker-3", "worker-4"}
    assert not stack.visitor().submit(site.urls(2000))
    stack.make("scale", WORKERS=1)
    assert stack.finishes(before + 2000, 120), stack.counts()
    assert stack.nodes() == {"worker-1": 1024}
    losses = stack.shell(
        "import json; from hashworld.tasks.models import Task;"
        "print(json.dumps(Task.objects.filter(losses__gt=0).count()))"
    )
    assert losses == 0


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
