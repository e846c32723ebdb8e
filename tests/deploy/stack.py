"""A stack under Docker, as its operator and its visitors see it, and a site that it may fetch."""

import json
import os
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPSHandler, Request, build_opener
from uuid import uuid4

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.services.service import comes_true

ROOT = Path(__file__).parents[2]
FORM = {
    **{"priority": "1", "duplicates": "keep", "method": "GET", "verify_tls": "on"},
    **{"max_attempts": "4", "retry_base": "2", "retry_cap": "300"},
}
SITE = """
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"page {self.path} ".encode() * 20
        time.sleep(0.05)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""
#: Docker's own networks.
NETWORKS = "172.16.0.0/12,10.0.0.0/8,192.168.0.0/16"


def run(*command: str, check: bool = True, **options: Any) -> str:
    """What a command says; raises AssertionError with it when the command fails."""
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600, **options
    )
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


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

    def visitor(self) -> "Visitor":
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

    def site(self) -> "Site":
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


def pause() -> None:
    """Asking starts a process: not fifty times a second."""
    threading.Event().wait(1)


class Site:
    """Pages for the workers, in a container."""

    def __init__(self, network: str, name: str, image: str) -> None:
        self.name = name
        self._run = ["docker", "run", "-d", "--rm", "--name", name, "--network", network]
        self._run += ["--entrypoint", "python", image, "-c", SITE]
        self._remove = ["docker", "rm", "-f", name]

    def urls(self, number: int, mark: str = "") -> list[str]:
        """So many addresses, all different."""
        mark = mark or uuid4().hex[:8]
        return [f"http://{self.name}:8000/{mark}/{each}" for each in range(number)]

    def __enter__(self) -> Self:
        run(*self._run)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        run(*self._remove)


class Visitor:
    """A browser, as far as forms and cookies go."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cookies = CookieJar()
        self._open = build_opener(
            HTTPSHandler(context=unverified()), HTTPCookieProcessor(self._cookies)
        ).open

    def get(self, path: str) -> tuple[int, str]:
        """Status and text; errors of HTTP are answers too."""
        return self._send(Request(self._url + path))

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        """A form that is sent from its own page."""
        token = next(cookie.value for cookie in self._cookies if cookie.name == "csrftoken")
        data = urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        return self._send(Request(self._url + path, data, {"Referer": self._url + path}))

    def sign_in(self, password: str) -> None:
        """As the administrator."""
        assert self.get("/admin/login/")[0] == 200
        status, page = self.post(
            "/admin/login/", username="admin", password=password.strip(), next="/admin/"
        )
        assert status == 200, page
        assert "sessionid" in {cookie.name for cookie in self._cookies}

    def read(self) -> str:
        """The list of jobs; what was answered instead, where that was not."""
        status, page = self.get("/admin/tasks/job/")
        return "" if status == 200 else f"{status} {page[:2000]}"

    def submit(self, urls: Sequence[str]) -> str:
        """Hand in a job; what was answered instead, where it was not accepted."""
        path = "/admin/tasks/job/add/"
        status, page = self.post(path, **FORM, token=uuid4().hex, urls="\n".join(urls))
        accepted = status == 200 and re.search(r"Accepted: [\d,]+ URL", page)
        return "" if accepted else f"{status} {page[:2000]}"

    def ticket(self) -> str:
        """What lets this person into the chat."""
        return str(json.loads(self.post("/admin/chat/ticket/")[1])["ticket"])

    def _send(self, request: Request) -> tuple[int, str]:
        return answered(self._open, request)


class Program:
    """Who comes in with a token, by REST."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._open = build_opener(HTTPSHandler(context=unverified())).open

    def read(self) -> str:
        """The newest jobs; what was answered instead, where these were not."""
        status, page = answered(
            self._open, Request(f"{self._url}/api/v1/jobs", None, self._headers)
        )
        return "" if status == 200 else f"{status} {page[:2000]}"

    def submit(self, urls: Sequence[str]) -> str:
        """Hand in a job; what was answered instead, where it was not accepted."""
        headers = {**self._headers, "Content-Type": "application/json"}
        document = json.dumps({"urls": list(urls)}).encode()
        request = Request(f"{self._url}/api/v1/jobs", document, headers)
        status, page = answered(self._open, request)
        return "" if status == 201 else f"{status} {page[:2000]}"


def unverified() -> ssl.SSLContext:
    """For certificates that sign themselves."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def answered(ask: Callable[..., Any], request: Request) -> tuple[int, str]:
    """Status and text; errors of HTTP are answers too."""
    try:
        with ask(request, timeout=60) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except HTTPError as error:
        return error.code, error.read().decode(errors="replace")


class Load:
    """A person and programs that read and hand in small jobs, and what they are refused."""

    def __init__(self, stack: Stack, site: Site, programs: int = 2) -> None:
        token = stack.token()
        self._visitors = [stack.visitor(), *(Program(stack.url, token) for _ in range(programs))]
        self._site = site
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=(visitor,)) for visitor in self._visitors
        ]
        self.answered = 0
        self.tasks = 0
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _visit(self, visitor: Visitor | Program) -> None:
        while not self._stopped.wait(0.1):
            self._note("read", visitor.read)
            urls = self._site.urls(5)
            if self._note("hand in", lambda urls=urls: visitor.submit(urls)):
                self.tasks += len(urls)

    def _note(self, what: str, act: Callable[[], str]) -> bool:
        began = time.strftime("%X")
        try:
            refusal = act()
        except OSError as error:
            refusal = repr(error)
        if refusal:
            self.failed.append(f"{began} {what}: {refusal}")
        else:
            self.answered += 1
        return not refusal


@contextmanager
def chat(stack: Stack, origin: str = "") -> Iterator[ClientConnection]:
    """The administrator in the chat."""
    place = stack.url.replace("https", "wss") + "/ws/"
    origin = origin or stack.url
    ticket = stack.visitor().ticket()
    with connect(place, origin=Origin(origin), ssl=unverified()) as person:
        person.send(json.dumps({"t": "hello", "ticket": ticket}))
        heard(person, "welcome")
        yield person


def heard(person: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    while True:
        message: dict[str, Any] = json.loads(person.recv(timeout=20))
        if message["t"] == kind:
            return message
