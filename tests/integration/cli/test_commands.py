"""Every command answers alike on the local database and over REST."""

import csv
import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, execute_from_command_line

from hashworld.api import tokens
from hashworld.api.rpc import node_tokens
from hashworld.nodes.models import Node
from hashworld.tasks import pursuit
from hashworld.tasks.models import Job, Task
from hashworld.tasks.states import State
from hashworld.verbs.models import AuditEntry
from tests.integration.cli.conftest import Ended, Run, called, documents
from tests.integration.people import Member
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


def test_jobs_are_listed_for_people_and_for_programs(run: Run, hers: Job, his: Job) -> None:
    head, line = run("jobs").splitlines()
    assert head.split()[:4] == ["job", "name", "owner", "total"]
    assert line.split()[:4] == [str(hers.pk), "Hers", "alice", "3"]
    (job,) = documents(run("jobs", "--json"))
    assert (job["id"], job["counts"]["waiting"], job["tags"]) == (hers.pk, 3, ["nightly"])
    assert documents(run("jobs", str(hers.pk), "--json")) == [job]
    assert documents(run("jobs", "--tag", "nightly", "--unfinished", "--json")) == [job]
    assert documents(run("jobs", "--tag", "other", "--json")) == []
    with pytest.raises(Ended, match=f"There is no job {his.pk}") as caught:
        run("jobs", str(his.pk))
    assert caught.value.code == 2


def test_tasks_are_found_and_looked_at(run: Run, hers: Job) -> None:
    first, *_, last = world.tasks(hers)
    found = documents(run("tasks", "--host", "b.example", "--state", "waiting", "--json"))
    assert [task["id"] for task in found] == [last.pk]
    assert len(documents(run("tasks", "--limit", "2", "--json"))) == 2
    assert documents(run("tasks", str(first.pk), "--json"))[0]["url"] == first.url
    assert "https://a.example/1" in run("tasks", "--job", str(hers.pk))


@pytest.mark.parametrize("words", [("--since", "yesterday"), ("--since", "2030-01-01T00:00:00")])
def test_a_filter_that_cannot_be_used_is_told(run: Run, words: tuple[str, ...]) -> None:
    with pytest.raises(Ended, match="since") as caught:
        run("tasks", *words)
    assert caught.value.code == 2


def test_tasks_are_killed_and_retried(run: Run, hers: Job, his: Job) -> None:
    first, second, _ = (task.pk for task in world.tasks(hers))
    assert (
        run("kill", str(first), str(second), "--reason", "typo") == f"{first}, {second}: killed\n"
    )
    assert AuditEntry.objects.get(verb="kill task").reason == "typo"
    with pytest.raises(Ended) as caught:
        run("kill", str(first), str(world.tasks(his)[0].pk), "--json")
    assert caught.value.code == 1
    (acted,) = documents(caught.value.out)
    assert (acted["done"], acted["skipped"]) == ([], [first])
    assert run("retry", str(first)) == f"{first}: waiting again\n"
    assert Task.objects.get(pk=first).state == State.WAITING


def test_whole_jobs_are_killed_and_retried(run: Run, hers: Job) -> None:
    assert run("kill", "--job", str(hers.pk)) == f"Job {hers.pk} is being told to kill.\n"
    pursuit.carry_out_all()
    assert Job.objects.get(pk=hers.pk).killed == 3
    run("retry", "--job", str(hers.pk), "--killed")
    pursuit.carry_out_all()
    assert Job.objects.get(pk=hers.pk).waiting == 3
    for verb in ("kill", "retry"):
        with pytest.raises(Ended, match="Name tasks, or jobs") as caught:
            run(verb)
        assert caught.value.code == 2


def test_a_task_tells_why_it_does_not_run(run: Run, hers: Job) -> None:
    task = world.tasks(hers)[0]
    (found,) = documents(run("why", str(task.pk), "--json"))
    assert found["cause"] == "no_node"
    assert run("why", str(task.pk)).startswith(found["sentence"])
    with pytest.raises(Ended, match="There is no task 999999"):
        run("why", "999999")


def test_results_are_exported_to_a_file_that_is_whole(
    run: Run, hers: Job, his: Job, tmp_path: Path
) -> None:
    target = tmp_path / "out.csv"
    run("export", str(hers.pk), "--format", "csv", "-o", str(target))
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert [row["url"] for row in rows] == [task.url for task in world.tasks(hers)]
    with pytest.raises(Ended):
        run("export", str(his.pk), "-o", str(tmp_path / "his"))
    with pytest.raises(Ended, match="cannot be written") as caught:
        run("export", str(hers.pk), "-o", str(tmp_path / "no" / "folder"))
    assert caught.value.code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_results_go_to_standard_output(
    run: Run, hers: Job, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    run("export", str(hers.pk))
    assert len(documents(capfdbinary.readouterr().out.decode())) == 3


def test_tokens_are_issued_listed_and_revoked(run: Run, alice: User) -> None:
    secret = run("token", "issue", "cron", "--scope", "read", "--days", "30").strip()
    assert tokens.authenticate(secret).user == alice
    (made,) = [t for t in documents(run("token", "--json")) if t["name"] == "cron"]
    assert made["scopes"] == ["read"]
    assert secret not in run("token")
    assert run("token", "revoke", str(made["id"])) == f"Token {made['id']} is revoked.\n"
    with pytest.raises(tokens.BadToken):
        tokens.authenticate(secret)
    with pytest.raises(Ended) as caught:
        run("token", "revoke", "cron")
    assert caught.value.code == 2


def test_nodes_are_for_who_may_see_them(run: Run, operator: User) -> None:
    world.node("one")
    with pytest.raises(Ended) as caught:
        run("nodes", "pause", "one")
    assert caught.value.code == 1


def test_nodes_are_listed_and_told_what_to_do(operator: User) -> None:
    world.node("one")
    shown = called("nodes", person=operator.username)
    assert shown.splitlines()[1].split()[:2] == ["one", "alive"]
    called("nodes", "pause", "one", "--reason", "disk", person=operator.username)
    assert Node.objects.get().pause_reason == "disk"
    assert "alive, paused" in called("nodes", person=operator.username)
    with pytest.raises(Ended, match="Name the node") as caught:
        called("nodes", "pause", person=operator.username)
    assert caught.value.code == 2


def test_a_node_gets_a_token_on_a_machine_of_the_cluster(person: Member) -> None:
    admin = person("admin", "root")
    secret = called("token", "node", "far", person=admin.username).strip()
    assert node_tokens.holder(secret) == "far"


def test_nobody_to_act_for_is_told() -> None:
    for words, told in (({}, "no superuser"), ({"person": "ghost"}, "'ghost'")):
        with pytest.raises(Ended, match=told) as caught:
            called("jobs", **words)
        assert caught.value.code == 2


def test_the_first_superuser_acts_unless_told(hers: Job) -> None:
    User.objects.create_superuser("root")
    assert "Hers" in called("jobs")


def test_what_controls_a_terminal_is_not_printed(alice: User) -> None:
    Job.objects.filter(pk=world.hand_in("https://a.example/").pk).update(
        name="\x1b[31m[bold]red", owner=alice
    )
    shown = called("jobs", person="alice")
    assert "\x1b[31m" not in shown
    assert "[bold]red" in shown


@pytest.mark.parametrize(
    ("changes", "told", "code"),
    [
        ({"url": "ftp://x", "token": "t"}, "HASHWORLD_URL must be", 2),
        ({"url": "http://127.0.0.1:9", "token": ""}, "HASHWORLD_TOKEN is missing", 2),
        ({"url": "http://127.0.0.1:9", "token": "t"}, "cannot be reached", 3),
    ],
)
def test_a_cluster_that_cannot_be_asked_is_told(
    settings: Any, changes: dict[str, str], told: str, code: int
) -> None:
    settings.ENV = dataclasses.replace(settings.ENV, **changes)
    with pytest.raises(Ended, match=told) as caught:
        called("jobs")
    assert caught.value.code == code


def test_a_token_that_is_not_good_is_told(settings: Any, live_server: Any) -> None:
    settings.ENV = dataclasses.replace(settings.ENV, url=live_server.url, token="hw_wrong")
    with pytest.raises(Ended, match="not let in") as caught:
        called("jobs")
    assert caught.value.code == 2


def at_a_prompt(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        execute_from_command_line(["hashworld", *words])
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("why", "nonsense"), "argument TASK: must be a whole number from 1, not 'nonsense'"),
        (("why",), "the following arguments are required: TASK"),
        (("why", "999999"), "There is no task 999999"),
        (("why", "9" * 30), "argument TASK: must be a whole number from 1"),
        (("tasks", "--code", "9"), "argument --code: invalid choice: 9"),
        (("tasks", "--job", "0"), "argument --job: must be a whole number from 1"),
        (("jobs", "--limit", "0"), "argument --limit: must be a whole number from 1"),
        (("jobs", "--nonsense"), "unrecognized arguments: --nonsense"),
        (("export", "999999"), "There is no job 999999"),
        (("kill", "--job", "999999"), "There is no job 999999"),
        (("retry", "x"), "argument TASK: must be a whole number from 1, not 'x'"),
        (("nodes", "pause", "ghost"), "there is no node 'ghost'"),
        (("token", "issue", "x", "--scope", "all"), "argument --scope: invalid choice: 'all'"),
        (("token", "revoke", "999999"), "There is no token 999999"),
        (("token", "issue", "x", "--days", "-1"), "argument --days: must be a whole number from 1"),
        (("fetch", "--max-attempts", "many"), "argument --max-attempts: invalid int value: 'many'"),
        (("fetch",), "give URLs, or a list"),
    ],
)
def test_what_is_wrong_is_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    User.objects.create_superuser("root")
    assert at_a_prompt(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told.lower() in line.lower()


def test_a_traceback_is_shown_to_who_asks_for_it() -> None:
    User.objects.create_superuser("root")
    with pytest.raises(CommandError, match="There is no task 999999"):
        execute_from_command_line(["hashworld", "why", "999999", "--traceback"])
