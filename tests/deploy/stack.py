"""A stack under Docker, as its operator sees it."""

import json
import os
from typing import Any

from tests.deploy.command import ROOT, pause, run
from tests.deploy.site import Site
from tests.deploy.visitors import Visitor
from tests.services.service import comes_true

#: Docker's own networks.
NETWORKS = "172.16.0.0/12,10.0.0.0/8,192.168.0.0/16"


class Stack:
    """One project under compose, driven by make as people do."""

    def __init__(self, project: str, port: int) -> None:
        self.project = project
        self.port = port
        self.url = f"https://localhost:{port}"
        self.folder = ROOT / ".stacks" / project

    def make(self, target: str, check: bool = True, **variables: object) -> str:
        """What a target says."""
        given = [f"{name}={value}" for name, value in variables.items()]
        environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME")},
            "HASHWORLD_FETCH_ALLOW_NETWORKS": NETWORKS,
            "HASHWORLD_FETCH_PORTS": "8000",
            "HASHWORLD_DRAIN_SECONDS": "5",
        }
        return run(
            "make",
            target,
            f"PROJECT={self.project}",
            f"PORT={self.port}",
            *given,
            check=check,
            env=environment,
        )

    def containers(self, service: str = "") -> list[str]:
        """The ids of a service's containers, or of all."""
        filters = [f"label=com.docker.compose.project={self.project}"]
        if service:
            filters.append(f"label=com.docker.compose.service={service}")
        options = [word for each in filters for word in ("--filter", each)]
        return run("docker", "ps", "--all", "--quiet", *options).split()

    def inspect(self, service: str = "") -> list[dict[str, Any]]:
        """What the engine knows of them."""
        found: list[dict[str, Any]] = json.loads(
            run("docker", "inspect", *self.containers(service))
        )
        return found

    def docker(self, verb: str, service: str, *arguments: str) -> str:
        """docker VERB for all containers of a service."""
        return run("docker", verb, *arguments, *self.containers(service))

    def inside(self, service: str, *command: str) -> str:
        """What a command says in a service's first container."""
        return run("docker", "exec", self.containers(service)[0], *command)

    def shell(self, code: str) -> Any:
        """The JSON that Django code prints in web."""
        said = self.inside("web", "python", "src/manage.py", "shell", "-v", "0", "-c", code)
        return json.loads(said.strip().splitlines()[-1])

    def counts(self) -> dict[str, int]:
        """How many tasks there are in each state, and attempts that succeeded."""
        counts: dict[str, int] = self.shell(
            "import json; from django.db.models import Count;"
            "from hashworld.tasks.models import Task; from hashworld.tasks.states import State;"
            "print(json.dumps({State(row['state']).name: row['n'] for row in"
            " Task.objects.values('state').annotate(n=Count('id'))}))"
        )
        return counts

    def nodes(self) -> dict[str, int]:
        """The lands of each node that is alive, by its name."""
        nodes: dict[str, int] = self.shell(
            "import json; from django.db.models import Count; from hashworld.nodes import clock;"
            "from hashworld.nodes.models import Land, Node;"
            "print(json.dumps({node.name: Land.objects.filter(node=node).count() for node in"
            " Node.objects.alive(clock.now())}))"
        )
        return nodes

    def finishes(self, tasks: int, timeout: float) -> bool:
        """Whether so many tasks succeed in time, and nothing else is left."""
        return comes_true(lambda: pause() or self.counts() == {"SUCCEED": tasks}, timeout)

    def losses(self) -> int:
        """How many tasks were lost on the way, and begun again."""
        losses: int = self.shell(
            "import json; from hashworld.tasks.models import Task;"
            "print(json.dumps(Task.objects.filter(losses__gt=0).count()))"
        )
        return losses

    def follow(self, text: str, tag: str = "") -> None:
        """Do the first commands that docs/deployment.md has after a text, as they stand there."""
        document = (ROOT / "docs" / "deployment.md").read_text()
        block = document.split(text)[1].split("```\n")[1]
        commands = block.replace("PROJECT", self.project).replace("TAG=1.2", f"TAG={tag}")
        run("bash", "-ec", commands, env={**os.environ, "PROJECT": self.project})

    def visitor(self) -> Visitor:
        """Somebody who is signed in as the administrator."""
        visitor = Visitor(self.url)
        visitor.sign_in((self.folder / "secrets" / "admin_password").read_text())
        return visitor

    def token(self) -> str:
        """An API token of the administrator's."""
        token: str = self.shell(
            "import json; from django.contrib.auth.models import User;"
            "from hashworld.api import tokens; user = User.objects.get(username='admin');"
            "print(json.dumps(tokens.issue(user, 'load', ['read', 'submit'])[1]))"
        )
        return token

    def site(self) -> Site:
        """A site beside the workers."""
        return Site(f"{self.project}_outside", f"{self.project}-site", self.image("core"))

    def image(self, name: str) -> str:
        """The image that a service of this name runs from."""
        service = "web" if name == "core" else name
        image: str = self.inspect(service)[0]["Config"]["Image"]
        return image

    def remove(self) -> None:
        """Everything of it, data too."""
        run("docker", "compose", "-p", self.project, "down", "-v", check=False)
        run("rm", "-rf", str(self.folder))
