"""The same versions as a swarm stack: it comes up, heals, is put back, and fetches."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.command import ROOT, pause, run
from tests.deploy.load import chat, heard
from tests.deploy.site import SITE, Site
from tests.deploy.stack import Stack
from tests.services.service import comes_true


class SwarmStack(Stack):
    """A stack whose containers swarm starts."""

    def containers(self, service: str = "") -> list[str]:
        """The ids of a service's running containers, or of all."""
        name = f"{self.project}_{service}" if service else ""
        labels = [f"label=com.docker.stack.namespace={self.project}"]
        labels += [f"label=com.docker.swarm.service.name={name}"] if name else []
        options = [word for each in labels for word in ("--filter", each)]
        return run("docker", "ps", "--quiet", *options).split()

    def replicas(self) -> dict[str, str]:
        """How many of each service's containers run."""
        lines = run(
            *("docker", "stack", "services", "--format", "{{.Name}} {{.Replicas}}", self.project)
        ).splitlines()
        return dict(line.removeprefix(f"{self.project}_").split()[:2] for line in lines)

    def ends(self) -> list[str]:
        """What ended by itself, or could not begin."""
        lines = run(
            *("docker", "stack", "ps", "--no-trunc", "--format"),
            *("{{.Name}} {{.CurrentState}} {{.Error}}", self.project),
        ).splitlines()
        return [line for line in lines if line.split()[1] in ("Failed", "Rejected", "Complete")]

    def spec(self, service: str) -> dict[str, Any]:
        """What swarm was told of a service."""
        found: list[dict[str, Any]] = json.loads(
            run("docker", "service", "inspect", f"{self.project}_{service}")
        )
        return found[0]

    def remove(self) -> None:
        """Everything of it, data too."""
        self.make("stack-down")
        # What the engine replaced before is removed a little later.
        assert comes_true(lambda: pause() or not self._left("ps", "--all"), 120)
        for volume in self._left("volume", "ls"):
            run("docker", "volume", "rm", "-f", volume)
        run("rm", "-rf", str(self.folder))

    def _left(self, *listing: str) -> list[str]:
        label = f"label=com.docker.stack.namespace={self.project}"
        return run("docker", *listing, "--quiet", "--filter", label).split()


@pytest.fixture(scope="module")
def swarm(engine: None) -> Iterator[None]:
    """A swarm of this machine, unless it is one already."""
    state = run("docker", "info", "--format", "{{.Swarm.LocalNodeState}}").strip()
    if state != "active":
        run("docker", "swarm", "init", "--advertise-addr", "127.0.0.1")
    yield
    if state != "active":
        run("docker", "swarm", "leave", "--force")


@pytest.fixture(scope="module")
def stack(swarm: None, images: tuple[str, str]) -> Iterator[SwarmStack]:
    """A stack of the first version that is up."""
    stack = SwarmStack("hwswarm", 9445)
    stack.make("stack-deploy", TAG=images[0], WORKERS=3)
    yield stack
    stack.remove()


class SwarmSite(Site):
    """A site that is a service of its own in the stack's network."""

    def __init__(self, network: str, name: str, image: str) -> None:
        super().__init__(network, name, image)
        self._run = ["docker", "service", "create", "--no-resolve-image"]
        self._run += ["--name", name, "--network", network, "--endpoint-mode", "dnsrr"]
        self._run += ["--entrypoint", "python", image, "-c", SITE]
        self._remove = ["docker", "service", "rm", name]


@pytest.fixture(scope="module")
def site(stack: SwarmStack) -> Iterator[Site]:
    """A site beside the workers."""
    with SwarmSite("hwswarm_inside", "hwswarm-site", "hashworld/core:test-one") as site:
        yield site


def test_it_comes_up_with_three_workers_and_two_schedulers(stack: SwarmStack) -> None:
    replicas = stack.replicas()
    assert replicas["worker"] == "3/3"
    assert replicas["scheduler"] == "2/2"
    assert set(replicas.values()) == {"1/1", "2/2", "3/3"}
    assert comes_true(lambda: pause() or len(stack.nodes()) == 3, 60)
    assert set(stack.nodes()) == {"worker-1", "worker-2", "worker-3"}
    # Who needs the tables waits for them, and tries not again and again.
    assert stack.ends() == []


def test_a_job_handed_in_through_nginx_completes(stack: SwarmStack, site: Site) -> None:
    assert not stack.visitor().submit(site.urls(1000))
    assert stack.finishes(1000, 180), stack.counts()


def test_people_talk_through_nginx(stack: SwarmStack) -> None:
    with chat(stack) as person:
        person.send(json.dumps({"t": "join", "room": "#lobby"}))
        heard(person, "joined")
        person.send(json.dumps({"t": "say", "room": "#lobby", "ref": "1", "text": "/nodes"}))
        assert "worker-1" in json.dumps(heard(person, "message")["card"])


def test_a_killed_worker_and_a_killed_scheduler_are_replaced(stack: SwarmStack, site: Site) -> None:
    assert not stack.visitor().submit(site.urls(2000))
    for service in ("worker", "scheduler"):
        run("docker", "kill", stack.containers(service)[0])
    assert stack.finishes(3000, 240), stack.counts()
    assert comes_true(
        lambda: (
            pause() or {"worker": "3/3", "scheduler": "2/2"}.items() <= stack.replicas().items()
        ),
        120,
    )


def test_another_version_and_back(stack: SwarmStack, images: tuple[str, str]) -> None:
    def image() -> str:
        found: str = stack.spec("worker")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
        return found

    stack.make("stack-deploy", TAG=images[1])
    assert image().endswith(images[1])
    stack.make("stack-rollback")
    assert image().endswith(images[0])
    # Who only says how many means the version that runs.
    stack.make("stack-deploy", WORKERS=2)
    assert image().endswith(images[0])
    assert stack.replicas()["worker"] == "2/2"
    assert stack.visitor().get("/admin/")[0] == 200


def test_the_databases_password_is_changed_under_load_and_loses_nothing(
    stack: SwarmStack, site: Site, images: tuple[str, str]
) -> None:
    """web asks for it while the database itself is replaced, and must not be put back for that."""
    before, losses = sum(stack.counts().values()), stack.losses()
    assert not stack.visitor().submit(site.urls(2000))
    stack.follow("The database is told its password", tag=images[0])
    assert stack.finishes(before + 2000, 120), stack.counts()
    assert stack.losses() == losses


def test_a_backup_brings_back_what_was_there(
    stack: SwarmStack, site: Site, images: tuple[str, str]
) -> None:
    before = sum(stack.counts().values())
    assert not stack.visitor().submit(site.urls(2000))
    stack.follow("Write it down on its machine")
    assert stack.finishes(before + 2000, 120), stack.counts()
    assert not stack.visitor().submit(site.urls(500))
    stack.follow("And bring it back", tag=images[0])
    assert stack.finishes(before + 2000, 180), stack.counts()
    (ROOT / f"{stack.project}.sql.gz").unlink()


def test_one_service_is_put_back_by_the_engines_own_command(
    stack: SwarmStack, images: tuple[str, str]
) -> None:
    run("docker", "service", "update", "--image", f"hashworld/core:{images[1]}",
        "--no-resolve-image", "hwswarm_flower")  # fmt: skip
    run("docker", "service", "update", "--rollback", "hwswarm_flower")
    spec = stack.spec("flower")["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert spec["Image"].endswith(images[0])
    assert comes_true(lambda: pause() or stack.replicas()["flower"] == "1/1", 60)


def test_a_version_that_is_not_healthy_goes_back_by_itself(
    stack: SwarmStack, images: tuple[str, str], broken: str
) -> None:
    said = stack.make("stack-deploy", check=False, TAG=broken)
    assert "was not healthy" in said
    assert stack.visitor().get("/admin/")[0] == 200


def test_a_machine_that_leads_no_swarm_is_told_so() -> None:
    environment = {"DOCKER_HOST": "tcp://127.0.0.1:1", "PROJECT": "hwnone"}
    done = subprocess.run(
        ["scripts/swarm.sh", "deploy"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/root", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no manager of a swarm" in done.stderr
    run("rm", "-rf", ".stacks/hwnone")
