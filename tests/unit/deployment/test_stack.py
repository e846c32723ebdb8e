"""What the scripts of a stack refuse before they touch anything, and what make tells of them."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
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
        ({"HASHWORLD_START_PERIOD": "soon"}, "HASHWORLD_START_PERIOD must be a time such as 90s"),
        ({"REGISTRY": "$(id)"}, "REGISTRY cannot be part of an image's name"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line_and_changes_nothing(
    script: str, variables: dict[str, str], told: str
) -> None:
    before = set((ROOT / ".stacks").glob("*"))
    done = subprocess.run(
        [str(ROOT / "scripts" / script), "up"],
        # Where nothing were refused, it would be found out without a real engine.
        env={**os.environ, "DOCKER_HOST": "tcp://127.0.0.1:1", **variables},
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


@pytest.fixture
def settled(tmp_path: Path) -> Callable[..., str]:
    """What the scripts of a stack make of what is given to them, in a project of its own."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name in ("stack-env.sh", "images.sh"):
        shutil.copy(ROOT / "scripts" / name, scripts)
    for name in ("docker-compose.yml", "docker"):
        (tmp_path / name).symlink_to(ROOT / name)

    def settle(variable: str, **given: str) -> str:
        names = ("PATH", "HOME")
        return subprocess.run(
            ["bash", "-c", f'. scripts/stack-env.sh; echo "${variable}"'],
            cwd=tmp_path,
            env={**{name: os.environ[name] for name in names}, **given},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    return settle


def test_pages_of_every_name_may_use_the_chat_at_this_port_and_behind_another_proxy(
    settled: Callable[..., str],
) -> None:
    hosts = "fetch.example.org,.example.net,*,[::1]"
    assert settled("HASHWORLD_CHAT_ORIGINS", HOSTS=hosts, PORT="9443").split(",") == [
        "https://fetch.example.org",
        "https://fetch.example.org:9443",
        "https://[::1]",
        "https://[::1]:9443",
    ]


def test_what_is_said_once_holds_until_something_else_is_said(settled: Callable[..., str]) -> None:
    settled("HASHWORLD_PORT", PORT="9443", ORIGINS="https://a.example", HOSTS="b.example")
    assert settled("HASHWORLD_PORT") == "9443"
    told = "https://a.example,https://b.example,https://b.example:9443"
    assert settled("HASHWORLD_CHAT_ORIGINS") == told
    # What is made of the port is made anew with it, by whichever script another one starts.
    assert settled("HASHWORLD_CHAT_ORIGINS", PORT="443", HASHWORLD_CHAT_ORIGINS=told) == (
        told.replace("9443", "443")
    )


@pytest.mark.parametrize(
    ("period", "seconds"), [("", "180"), ("90s", "90"), ("5m", "300"), ("1h30m", "5400")]
)
def test_a_time_to_start_is_known_in_seconds(
    settled: Callable[..., str], period: str, seconds: str
) -> None:
    given = {"HASHWORLD_START_PERIOD": period} if period else {}
    assert settled("HASHWORLD_START_SECONDS", **given) == seconds
    assert settled("HASHWORLD_START_SECONDS") == seconds


@pytest.mark.parametrize(
    ("replicas", "period", "longest"), [(1, "180s", 660), (3, "180s", 1320), (3, "1h", 15000)]
)
def test_a_swarm_may_take_the_longer_the_more_replicas_start_one_after_another(
    settled: Callable[..., str], tmp_path: Path, replicas: int, period: str, longest: int
) -> None:
    text = (ROOT / "scripts" / "swarm.sh").read_text()
    (bound,) = re.findall(r"^bound\(\) \{.*?^\}", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "scripts" / "images.sh").write_text(bound)
    services = f"services() {{ echo x_web 1/1; echo x_worker 0/{replicas}; }}"
    told = f"({services}; . scripts/images.sh; bound)"
    assert settled(told, HASHWORLD_START_PERIOD=period) == str(longest)
