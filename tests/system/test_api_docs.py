"""The examples of docs/api.md, run by a shell as they stand."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from hashworld.api import tokens
from hashworld.recurring.models import Recurring
from hashworld.tasks.models import Job
from hashworld.verbs.models import AuditEntry, Operation
from hashworld.verbs.rights import Scope

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.mark.skipif(not shutil.which("curl"), reason="the examples are written for curl")
def test_the_examples_run(live_server: Any, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    owner = User.objects.create_superuser("root")
    _, secret = tokens.issue(owner, "docs", list(Scope))
    mine = {"HASHWORLD_URL": live_server.url, "HASHWORLD_TOKEN": secret}
    script = "\n".join(["set -euxo pipefail", *blocks])
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, **mine},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {job.name for job in Job.objects.all()} == {"Front pages", "List"}
    job = Job.objects.get(name="List")
    assert (job.total, job.refused) == (3, 1)
    assert Operation.objects.get().verb == "retry"
    assert Recurring.objects.get().name == "Nightly"
    assert AuditEntry.objects.filter(reason="the site asked for it").exists()
    assert (tmp_path / "results.csv").read_text().startswith("task,url,state")
    assert (tmp_path / "results.warc.gz").read_bytes()[:2] == b"\x1f\x8b"
