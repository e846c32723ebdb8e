"""`manage.py fetch` against the database, with nobody there to fetch."""

import io
import json
import logging
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import dispatcher, progress, pursuit
from hashworld.tasks.models import Duplicates, Job, Priority, Task

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_dispatches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "nudge", lambda: None)


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "START_PATIENCE", 0.0)


@pytest.fixture
def node() -> Node:
    now = clock.now()
    return Node.objects.create(
        name="n", incarnation="i", hostname="h", pid=1, version="1", max_tasks=8,
        started_at=now, seen_at=now,
    )  # fmt: skip


@pytest.fixture
def killed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job is killed as soon as somebody waits for it."""
    follow = progress.follow

    def kill_then_follow(job):
        pursuit.kill_job(job.pk)
        yield from follow(job)

    monkeypatch.setattr(progress, "follow", kill_then_follow)


@pytest.fixture
def urls(tmp_path: Path) -> Path:
    file = tmp_path / "urls.txt"
    file.write_text("# two pages\nhttp://example.com/1\n\nnonsense\nhttp://example.com/2\n")
    return file


def fetch(*arguments: object) -> None:
    call_command("fetch", *map(str, arguments))


def code_of(*arguments: object) -> int:
    with pytest.raises((CommandError, SystemExit)) as caught:
        fetch(*arguments)
    error = caught.value
    return error.returncode if isinstance(error, CommandError) else error.code


def test_without_a_node_nothing_is_handed_in_and_the_reader_is_told_what_to_do():
    with pytest.raises(CommandError, match="no node is alive: start one") as caught:
        fetch("http://example.com/")
    assert caught.value.returncode == 3
    assert not Job.objects.exists()


def test_a_job_may_be_handed_in_without_waiting_and_without_a_node():
    fetch("http://example.com/", "--no-wait", "--name", "a", "--priority", "high", "--timeout", "7")
    job = Job.objects.get()
    assert (job.name, job.priority, job.limits) == ("a", Priority.HIGH, {"total_timeout": 7.0})
    assert job.sealed_at


def test_options_become_the_jobs_options():
    fetch(
        *("http://example.com/", "http://example.com/", "--no-wait", "--method", "HEAD"),
        *("--header", "Accept-Language: en", "--header", "X-A:b:c", "--max-attempts", "2"),
        *("--duplicates", "one"),
    )
    job = Job.objects.get()
    assert job.headers == {"Accept-Language": "en", "X-A": "b:c"}
    assert (job.method, job.max_attempts, job.duplicates) == ("HEAD", 2, Duplicates.ONE)
    assert job.total == 1


def test_refused_lines_are_named_as_in_the_file_and_the_rest_is_taken(urls, capsys):
    assert code_of("-f", urls, "--no-wait") == 1
    assert "line 4: 'nonsense' refused: not a URL" in capsys.readouterr().err
    assert Job.objects.get().total == 2


def test_refused_lines_are_shown_up_to_a_bound(tmp_path, capsys):
    file = tmp_path / "urls.txt"
    file.write_text("http://example.com/\n" + "nonsense\n" * 1200)
    assert code_of("-f", file, "--no-wait") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith(": 1 URLs")
    assert lines[-1] == "1,180 more lines were refused"
    assert len(lines) == 22


@pytest.mark.parametrize("arguments", [("-",), ("-f", "-")])
def test_a_list_may_come_from_standard_input(monkeypatch, arguments):
    stdin = io.TextIOWrapper(io.BytesIO(b"http://example.com/1\nhttp://example.com/2\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    fetch(*arguments, "--no-wait")
    assert Job.objects.get().total == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "has no URL in it"),
        (b"http://example.com/\n\0\0", "line 2 is binary"),
        (b"http://example.com/\n" * 3000 + b"\xff", "line 3001 is not UTF-8"),
    ],
)
def test_a_file_that_is_no_list_changes_nothing(tmp_path, content, reason):
    file = tmp_path / "urls.txt"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=reason) as caught:
        fetch("-f", file, "--no-wait")
    assert caught.value.returncode == 2
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "give URLs, or a list"),
        (("http://example.com/", "-f", "x"), "give URLs, or a list"),
        (("-f", "/no/such/file"), "/no/such/file: No such file or directory"),
        (("ftp://example.com/",), "line 1, 'ftp://example.com/': scheme 'ftp' is not allowed"),
        (("http://example.com/", "--max-attempts", "99"), "max_attempts: must be from 1 to 20"),
        (("http://example.com/", "--timeout", "0"), "limits.total_timeout: must be more than 0"),
        (("http://example.com/", "--output", "/dev/null"), "--output: /dev/null"),
        (("http://example.com/", "--json", "--no-wait"), "--no-wait: leaves nothing to write"),
    ],
)
def test_bad_input_is_one_line_that_names_it(node, arguments, reason):
    with pytest.raises(CommandError) as caught:
        fetch(*arguments)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.returncode == 2
    assert not Job.objects.exists()


def test_bad_input_is_told_before_anybody_looks_for_a_node(tmp_path):
    assert code_of("http://example.com/", "--max-attempts", "99") == 2
    assert code_of("-f", tmp_path / "missing") == 2


def test_log_lines_go_to_standard_error(monkeypatch):
    handler = logging.StreamHandler(sys.stdout)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    fetch("http://example.com/", "--no-wait")
    assert handler.stream is sys.stderr


def test_json_is_alone_on_standard_output(node, killed_at_once, urls, capsys):
    assert code_of("-f", urls, "--json") == 1
    told = capsys.readouterr()
    first, second = map(json.loads, told.out.splitlines())
    assert (first["url"], first["state"]) == ("http://example.com/1", "killed")
    assert second["url"] == "http://example.com/2"
    expected = "status error attempts size sha256 title final_url".split()
    assert not set(expected) - first.keys()
    assert "2 of 2 done" in told.err


def test_the_outcome_is_a_table(node, killed_at_once, urls, capsys):
    assert code_of("-f", urls) == 1
    assert "killed" in capsys.readouterr().out


def test_output_has_an_index_even_of_what_has_no_body(node, killed_at_once, urls, tmp_path):
    assert code_of("-f", urls, "--output", tmp_path / "out") == 1
    (index,) = (tmp_path / "out").iterdir()
    entries = [json.loads(line) for line in index.read_text().splitlines()]
    assert [entry["file"] for entry in entries] == [None, None]


def test_nodes_that_vanish_are_noticed(node, monkeypatch, settings):
    monkeypatch.setattr(progress, "START_PATIENCE", -settings.ENV.lease_seconds)
    monkeypatch.setattr(progress, "require_node", lambda patience: None)
    node.delete()
    assert code_of("http://example.com/") == 3
    assert Task.objects.count() == 1


def test_ctrl_c_leaves_the_job_and_says_so(node, monkeypatch, capsys):
    def interrupted(job):
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "follow", interrupted)
    assert code_of("http://example.com/") == 130
    job = Job.objects.get()
    assert f"job {job.pk} goes on; kill it on its page in the admin" in capsys.readouterr().err
    assert not job.finished_at
