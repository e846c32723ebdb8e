"""scripts/secrets.sh: what it makes, and what it leaves alone."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[3]


def make(folder: Path, *hosts: str) -> str:
    done = subprocess.run(
        [str(ROOT / "scripts" / "secrets.sh"), str(folder), *hosts],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    make(tmp_path / "secrets", "cluster.example.org", "192.0.2.7")
    return tmp_path / "secrets"


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_nobody_else_sees_the_folder_and_containers_see_the_files(folder: Path) -> None:
    assert oct(folder.stat().st_mode)[-3:] == "700"
    assert {oct(path.stat().st_mode)[-3:] for path in folder.iterdir()} == {"444"}


def test_a_second_time_changes_nothing(folder: Path) -> None:
    before = contents(folder)
    assert make(folder) == ""
    assert contents(folder) == before


def test_every_installation_has_its_own(folder: Path, tmp_path: Path) -> None:
    make(tmp_path / "other")
    one, other = contents(folder), contents(tmp_path / "other")
    assert set(one) == set(other)
    assert [name for name in one if one[name] == other[name]] == []


def test_no_value_is_told(tmp_path: Path, folder: Path) -> None:
    said = make(tmp_path / "other")
    assert said
    assert not [value for value in contents(tmp_path / "other").values() if value.strip() in said]


def test_a_secret_that_was_deleted_is_made_anew_with_what_follows_from_it(folder: Path) -> None:
    before = contents(folder)
    (folder / ".rabbitmq_worker").unlink()
    make(folder)
    after = contents(folder)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {".rabbitmq_worker", "broker_url_worker", "rabbitmq_definitions"}


def test_rabbitmq_knows_the_passwords_that_the_roles_give(folder: Path) -> None:
    users = json.loads((folder / "rabbitmq_definitions").read_text())["users"]
    assert {user["name"] for user in users} == {"submitter", "worker", "monitor"}
    for user in users:
        url = urlsplit((folder / f"broker_url_{user['name']}").read_text().strip())
        salted = base64.b64decode(user["password_hash"])
        assert url.username == user["name"]
        digest = hashlib.sha256(salted[:4] + str(url.password).encode()).digest()
        assert salted[4:] == digest


def test_redis_knows_the_passwords_and_no_default_user(folder: Path) -> None:
    users = (folder / "redis_acl").read_text()
    assert "user default off" in users
    for name in ("hashworld", "chatroom"):
        url = urlsplit((folder / f"redis_url_{name}").read_text().strip())
        digest = hashlib.sha256(str(url.password).encode()).hexdigest()
        assert re.search(rf"^user {name} on #{digest} ~{name}:\* ", users, re.MULTILINE)


def test_the_certificate_names_the_hosts(folder: Path) -> None:
    told = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", folder / "tls_certificate"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in ("DNS:localhost", "DNS:cluster.example.org", "IP Address:192.0.2.7"):
        assert name in told


def test_a_certificate_of_ones_own_stays_and_can_be_read(folder: Path) -> None:
    for name in ("tls_certificate", "tls_key"):
        (folder / name).chmod(0o600)
        (folder / name).write_text("mine")
    make(folder)
    assert (folder / "tls_key").read_text() == "mine"
    assert oct((folder / "tls_key").stat().st_mode)[-3:] == "444"


def test_where_the_servers_are_may_be_said(tmp_path: Path) -> None:
    subprocess.run(
        [str(ROOT / "scripts" / "secrets.sh"), str(tmp_path / "secrets")],
        env={**os.environ, "RABBITMQ_HOST": "rabbit.example.org", "REDIS_HOST": "127.0.0.1"},
        check=True,
        capture_output=True,
    )
    broker = (tmp_path / "secrets" / "broker_url_worker").read_text()
    assert "@rabbit.example.org:5672/hashworld" in broker
    assert "@127.0.0.1:6379/0" in (tmp_path / "secrets" / "redis_url_chatroom").read_text()


def test_no_command_that_people_are_told_has_a_secret_among_its_arguments() -> None:
    """Arguments are seen by all in `ps`; what is read from standard input is not."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    blocks = "".join(re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    documents = re.compile(r"<<END\n.*?^END$", re.MULTILINE | re.DOTALL)
    assert documents.search(blocks)
    # Nor is the environment that a command begins with.
    arguments = re.sub(r"MYSQL_PWD=\$\(cat [^)]*\)", "", documents.sub("", blocks))
    assert re.findall(r"\$\(cat [^)]*\)", arguments) == []
