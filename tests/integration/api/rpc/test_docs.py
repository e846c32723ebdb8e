"""The examples of the documentation are run as they stand there."""

import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from hashworld.api.rpc.server import Server
from hashworld.tasks.models import Task
from hashworld.tasks.states import State
from hashworld.webhooks import ladder, outbox, signature
from tests.integration.api.rpc.conftest import secret
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)
DOCS = Path(__file__).parents[4] / "docs"


def example(name: str, language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)
    return str(found)


def test_the_example_of_the_remote_door(
    server: Server, alice: User, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {"address": f"127.0.0.1:{server.port}", "token": secret(alice)}
    exec(example("api-grpc.md", "python"), names)
    names["channel"].close()
    state, why, killed = capsys.readouterr().out.splitlines()[-3:]
    assert state == "https://example.com/ WAITING"
    assert why
    assert "'order-7': True" in killed
    assert "'no-such': 'there is no task no-such'" in killed
    assert Task.objects.get().state == State.KILLED


def test_the_example_of_webhooks(capsys: pytest.CaptureFixture[str]) -> None:
    key = signature.new_secret()
    body = outbox.body("job.finished", "2030-01-01T00:00:00+00:00", {"job": 7})
    headers = signature.headers("msg_1", int(time.time()), body, [key])
    exec(example("webhooks.md", "python"), {"secret": key, "body": body, "headers": headers})
    assert capsys.readouterr().out == "job.finished 7\n"


def test_the_examples_of_the_command_line(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.create_superuser("root")
    job = world.hand_in("https://a.example/")
    monkeypatch.chdir(tmp_path)
    lines = [line for line in example("webhooks.md", "console").splitlines() if line]
    assert len(lines) == 7
    for line in lines:
        prompt, program, *words = shlex.split(line)
        assert (prompt, program) == ("$", "hashworld")
        numbers = {"1": str(world.tasks(job)[0].pk if words[0] in ("why", "kill") else job.pk)}
        call_command(*(numbers.get(word, word) for word in words))
    assert (tmp_path / "results.csv").exists()


def test_the_ladder_is_the_one_of_the_documentation() -> None:
    assert (
        "5 s, 30 s, 5 min, 30 min, 2 h, 5 h, 10 h and 6 h 20 min"
        in (DOCS / "webhooks.md").read_text()
    )
    assert ladder.DELAYS == (5, 30, 300, 1800, 7200, 18_000, 36_000, 22_800)
