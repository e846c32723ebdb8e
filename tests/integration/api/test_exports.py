"""Results as streams: every line of them, safe in a spreadsheet, and byte by byte in a WARC."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from hashworld.api import exports
from hashworld.nodes.models import Node
from hashworld.tasks.models import Job, Task
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import State
from hashworld.tasks.submit import submit
from tests.integration.api.conftest import Program, everything
from tests.integration.console.work import end, keep, record
from tests.integration.nodes.world import alive

BODIES = {
    "https://a.example/bom": b"\xef\xbb\xbf<p>with a mark</p>\r\n",
    "https://a.example/sjis": "<p>日本語のページ</p>".encode("shift_jis"),
    "https://a.example/binary": bytes(range(256)) * 50 + b"\r\n\r\nWARC/1.1\r\n",
    "https://a.example/empty": b"",
}
HEADERS = "Content-Type: text/html\nContent-Encoding: gzip\nContent-Length: 5\nX-A: b: c"


@pytest.fixture
def node(db: None) -> Node:
    return alive("berlin-1")


@pytest.fixture
def fetched(alice: User, node: Node) -> Job:
    """A job of Alice's whose tasks brought these bodies, and one that failed."""
    job = submit([*BODIES, "https://a.example/gone"], JobSpec(name="Pages"), alice).job
    for task in Task.objects.filter(job=job).order_by("id"):
        if task.url in BODIES:
            kept = keep(BODIES[task.url])
            end(task, State.SUCCEED, status=200, content=kept)
            told = {"status": 200, "content": kept, "headers": HEADERS, "ip": "192.0.2.7"}
            record(task, node, final_url=f"{task.url}?at=last", **told)
        else:
            end(task, State.RUNTIME_ERROR, status=404, error="http_status")
            record(task, node, status=404, error="http_status", title='=HYPERLINK("x")')
    job.refresh_from_db()
    return job


def export(client: Client, job: Job, kind: str) -> Any:
    return client.get(f"/api/v1/jobs/{job.pk}/results?format={kind}")


def test_every_task_is_a_line_of_json(as_: Program, alice: User, fetched: Job) -> None:
    answer = export(as_(alice), fetched, "ndjson")
    assert answer["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in everything(answer).splitlines()]
    assert [line["url"] for line in lines] == [*BODIES, "https://a.example/gone"]
    assert [line["size"] for line in lines] == [*map(len, BODIES.values()), None]
    assert lines[-1]["error"] == "http_status"


def test_a_spreadsheet_runs_nothing_of_the_table(as_: Program, alice: User, fetched: Job) -> None:
    answer = export(as_(alice), fetched, "csv")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"] == f'attachment; filename="job-{fetched.pk}.csv"'
    rows = list(csv.DictReader(io.StringIO(everything(answer).decode(), newline="")))
    assert len(rows) == 5
    assert rows[-1]["title"] == '\'=HYPERLINK("x")'
    assert rows[0]["status"] == "200"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_what_could_be_a_formula_is_text(text: str) -> None:
    assert exports.cell(text) == f"'{text}"


def test_numbers_stay_numbers() -> None:
    assert [exports.cell(value) for value in (-5, None, "a=b", "")] == [-5, "", "a=b", ""]


def test_a_warc_opens_with_warcio_and_the_bodies_are_byte_identical(
    as_: Program, alice: User, fetched: Job, tmp_path: Path
) -> None:
    answer = export(as_(alice), fetched, "warc")
    path = tmp_path / "job.warc.gz"
    path.write_bytes(everything(answer))
    with path.open("rb") as file:
        found = {}
        for entry in ArchiveIterator(file, check_digests="raise"):
            body = entry.content_stream().read()
            if entry.rec_type == "response":
                found[entry.rec_headers["WARC-Target-URI"]] = (entry, body)
    assert {url.partition("?")[0]: body for url, (_, body) in found.items()} == BODIES
    entry, body = found["https://a.example/bom?at=last"]
    assert entry.rec_headers["WARC-IP-Address"] == "192.0.2.7"
    head = entry.http_headers
    assert head.get_statuscode() == "200"
    assert head["X-A"] == "b: c"
    assert head["Content-Encoding"] is None
    assert head["X-Archive-Orig-Content-Encoding"] == "gzip"
    assert head["Content-Length"] == str(len(body))


def test_a_warc_passes_warcios_own_check(
    as_: Program, alice: User, fetched: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "job.warc.gz"
    path.write_bytes(everything(export(as_(alice), fetched, "warc")))

    class Asked:
        inputs = [str(path)]  # noqa: RUF012 - stands for parsed arguments
        verbose = True

    checker = Checker(Asked())
    checker.process_all()
    assert checker.exit_value == 0, capsys.readouterr().out


def test_bodies_go_only_to_whoever_may_see_them(as_: Program, operator: User, fetched: Job) -> None:
    operator.groups.clear()
    told = ["view_job", "view_any_job", "view_task"]
    operator.user_permissions.set(Permission.objects.filter(codename__in=told))
    client = as_(User.objects.get(pk=operator.pk))
    assert export(client, fetched, "ndjson").status_code == 200
    assert export(client, fetched, "warc").status_code == 403
    task = fetched.tasks.first()
    assert task
    assert client.get(f"/api/v1/tasks/{task.pk}/body").status_code == 403


def test_a_body_is_a_file_that_no_browser_runs(as_: Program, alice: User, fetched: Job) -> None:
    client = as_(alice)
    for task in fetched.tasks.exclude(content=None):
        answer = client.get(f"/api/v1/tasks/{task.pk}/body")
        assert answer.content == BODIES[task.url]
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Disposition"].startswith("attachment;")
        assert "sandbox" in answer["Content-Security-Policy"]
