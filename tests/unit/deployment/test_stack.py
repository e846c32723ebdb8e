"""What the scripts of a stack refuse before they touch anything, and what make tells of them."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
#: What the issue of deployment promises, each with a sentence.
TARGETS = (
    *("up", "down", "ps", "logs", "migrate", "migrations", "scale", "shell", "superuser"),
    *("backup", "restore", "deploy", "rollback", "secrets", "images", "push"),
    *("stack-deploy", "stack-rollback", "test-deploy"),
)


@pytest.mark.parametrize("script", ["stack.sh", "deploy.sh", "backup.sh", "swarm.sh", "images.sh"])
@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"PROJECT": "Two Words"}, "PROJECT must be lower-case letters, digits, - and _"),
        ({"PROJECT": "../up"}, "PROJECT must be"),
        ({"PORT": "https"}, "PORT must be a number, not 'https'"),
        ({"WORKERS": "-1"}, "WORKERS must be a number, not '-1'"),
        ({"TAG": "a b"}, "TAG cannot be part of an image's name: 'a b'"),
        ({"REGISTRY": "$(id)"}, "REGISTRY cannot be part of an image's name"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line_and_changes_nothing(
    script: str, variables: dict[str, str], told: str
) -> None:
    before = set((ROOT / ".stacks").glob("*"))
    done = subprocess.run(
        [str(ROOT / "scripts" / script), "up"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert set((ROOT / ".stacks").glob("*")) == before


def test_every_target_has_a_sentence() -> None:
    told = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    sentences = dict(re.findall(r"^make (\S+) +(.+)$", told, re.MULTILINE))
    for target in TARGETS:
        assert sentences[target].endswith("."), target
