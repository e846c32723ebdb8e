"""100,000 URLs in and out by REST, beside one request each to an endpoint written the usual way."""

import argparse
import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic

import psutil
import requests

from benchmarks import report, services
from benchmarks.cluster import Cluster
from benchmarks.process import with_django
from benchmarks.stage import Stage, stage
from hashworld.embedded.ports import find_free
from hashworld.embedded.roles import WEB_THREADS
from tests.program import ROOT, Program

#: The server's memory is looked at so often, in seconds.
LOOK = 0.02
PATIENCE = 600.0
MEGA = 1024 * 1024


def main() -> None:
    """Hand in, collect, compare, and print the figures."""
    services.require("benchmarks.doors")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--urls", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=2_000, help="URLs of the usual endpoint")
    options = parser.parse_args()
    with stage() as ground:
        show(measure(ground, options), options)


def measure(ground: Stage, options: argparse.Namespace) -> dict[str, float]:
    """Both servers are one process of the same web server with the same threads."""
    ports = {"HASHWORLD_FETCH_PORTS": str(ground.target.port)}
    cluster = Cluster("doors", ground.folder, ground.programs, ports)
    door = _serve(ground, "door", "hashworld.wsgi", cluster.environment)
    secret = _django(cluster, "token")
    ours = Door(door, secret)
    urls = [url.encode() for url in ground.target.urls("doors", options.urls)]
    ours.warm_up(urls[:1000])
    figures = {}
    report.say(f"handing in {options.urls:,} URLs")
    with ours.memory() as rise:
        began = monotonic()
        job = ours.submit(urls)
        figures["submit_rows_per_s"] = len(urls) / (monotonic() - began)
    figures["submit_memory_rise_mb"] = rise()
    _django(cluster, "end", str(job))
    report.say(f"collecting {options.urls:,} results")
    with ours.memory() as rise:
        began = monotonic()
        lines = ours.export(job)
        figures["export_rows_per_s"] = lines / (monotonic() - began)
    figures["export_memory_rise_mb"] = rise()
    if lines != options.urls:
        sys.exit(f"{lines} results came of {options.urls}")
    report.say(f"{options.sample:,} URLs to the usual endpoint")
    peer = {**cluster.environment, "DATABASE_URL": services.make_database("everyday")}
    del peer["DJANGO_SETTINGS_MODULE"]
    usual = _serve(ground, "endpoint", "benchmarks.peers.endpoint", peer)
    figures["usual_rows_per_s"] = _one_by_one(usual.port, urls[: options.sample])
    figures["vs_usual_endpoint"] = figures["submit_rows_per_s"] / figures["usual_rows_per_s"]
    return figures


class Server:
    """A web server that runs, and where."""

    def __init__(self, program: Program, port: int) -> None:
        self.program, self.port = program, port

    def memory_mb(self) -> float:
        """What its processes hold."""
        first = psutil.Process(self.program.pid)
        found = [first, *first.children(recursive=True)]
        return float(sum(process.memory_info().rss for process in found)) / MEGA


class Door:
    """HashWorld's REST door as a program uses it."""

    def __init__(self, server: Server, secret: str) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {secret}"}

    def warm_up(self, urls: list[bytes]) -> None:
        """What is loaded at the first use is not the rise of the one that is measured."""
        self.export(self.submit(urls))

    def submit(self, urls: list[bytes]) -> int:
        """Hand in a job as plain text; its number."""
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=PATIENCE)
        headers = {**self._headers, "Content-Type": "text/plain"}
        connection.request("POST", "/api/v1/jobs", b"\n".join(urls), headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.close()
        if answer.status != 201 or told["accepted"] != len(urls):
            sys.exit(f"the door answered {answer.status}: {told}")
        return int(told["job"]["id"])

    def export(self, job: int) -> int:
        """Read all results as NDJSON; how many lines."""
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=PATIENCE)
        connection.request("GET", f"/api/v1/jobs/{job}/results", headers=self._headers)
        answer = connection.getresponse()
        if answer.status != 200:
            sys.exit(f"the door answered {answer.status}: {answer.read()!r}")
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: answer.read(65_536), b""))
        connection.close()
        return lines

    @contextmanager
    def memory(self) -> Iterator[Callable[[], float]]:
        """Watch the server's memory; how much it rose at most, in MB, is known at the end."""
        before = peak = self._server.memory_mb()
        over = Event()

        def watch() -> None:
            nonlocal peak
            while not over.wait(LOOK):
                peak = max(peak, self._server.memory_mb())

        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield lambda: peak - before
        finally:
            over.set()
            watcher.join()


def _serve(ground: Stage, name: str, module: str, environment: dict[str, str]) -> Server:
    port = find_free()
    command = [
        *(sys.executable, "-m", "gunicorn", module, "--bind", f"127.0.0.1:{port}"),
        *("--worker-class", "gthread", "--workers", "1", "--threads", str(WEB_THREADS)),
        "--no-control-socket",
    ]
    program = ground.programs.start(name, command, environment)
    program.wait_for_line("Booting worker")
    return Server(program, port)


def _django(cluster: Cluster, *arguments: str) -> str:
    command = with_django("benchmarks.doorkeeper", *arguments)
    done = subprocess.run(
        command, env=cluster.environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def _one_by_one(port: int, urls: list[bytes]) -> float:
    """A request for each over one connection that stays open; URLs a second."""
    with requests.Session() as session:
        began = monotonic()
        for url in urls:
            told = {"url": url.decode()}
            answer = session.post(f"http://127.0.0.1:{port}/pages", json=told, timeout=60)
            answer.raise_for_status()
        return len(urls) / (monotonic() - began)


def show(figures: dict[str, float], options: argparse.Namespace) -> None:
    """In one table, and as the last line."""
    usual = figures.pop("usual_rows_per_s")
    seconds = options.urls / usual
    report.table(
        ["", "URLs/s", f"{options.urls:,} URLs", "memory"],
        [
            _row("handed in by REST", figures, "submit", options.urls),
            _row("results by REST", figures, "export", options.urls),
            ["one request each, the usual way", f"{usual:,.0f}", f"{seconds:,.1f} s", ""],
        ],
    )
    report.result(figures)


def _row(name: str, figures: dict[str, float], what: str, urls: int) -> list[str]:
    rate, rise = figures[f"{what}_rows_per_s"], figures[f"{what}_memory_rise_mb"]
    return [name, f"{rate:,.0f}", f"{urls / rate:,.1f} s", f"+{rise:.1f} MB"]


if __name__ == "__main__":
    main()
