"""The units in config/systemd."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "config" / "systemd"
SERVICES = sorted(path.name for path in FOLDER.glob("*.service"))
#: By systemd's own measure, from 0 to 10.
WORST = 3.0

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The units as if the project were installed where it is."""
    for path in FOLDER.iterdir():
        text = path.read_text().replace("/opt/hashworld/", f"{ROOT}/")
        (tmp_path / path.name).write_text(text.replace("=/opt/hashworld\n", f"={ROOT}\n"))
    return tmp_path


@needs_systemd
def test_systemd_finds_nothing_wrong(here: Path) -> None:
    units = [here / "hashworld.target", *(here / name for name in SERVICES)]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, units)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "hashworld" in line]
    assert ours == []


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_a_role_is_exposed_little(name: str, here: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(here / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+ ([\d.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= WORST


@pytest.mark.parametrize("name", SERVICES)
def test_a_role_runs_as_its_own_user_through_the_same_script(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert "\nUser=hashworld\n" in text
    assert re.search(r"^ExecStart=/opt/hashworld/scripts/startup\.sh ", text, re.MULTILINE)


@pytest.mark.parametrize("name", SERVICES)
def test_each_credential_is_read_and_no_other(name: str) -> None:
    text = (FOLDER / name).read_text()
    given = re.findall(r"^LoadCredential=(\w+):/etc/hashworld/secrets/(\w+)$", text, re.MULTILINE)
    assert [one for one, other in given if one != other] == []
    read = re.findall(r"^Environment=\w+=%d/(\w+)$", text, re.MULTILINE)
    assert sorted(one for one, _ in given) == sorted(read)


def test_a_node_has_more_time_to_stop_than_to_drain() -> None:
    text = (FOLDER / "hashworld-worker@.service").read_text()
    assert "TimeoutStopSec=90" in text
    assert "KillMode=mixed" in text


def test_whoever_is_enabled_starts_and_stops_with_the_target() -> None:
    for name in SERVICES:
        text = (FOLDER / name).read_text()
        assert "PartOf=hashworld.target" in text
        assert "WantedBy=hashworld.target" in text


def test_servers_of_the_same_machine_end_after_who_uses_them() -> None:
    for name in SERVICES:
        after = " ".join(re.findall(r"^After=(.*)$", (FOLDER / name).read_text(), re.MULTILINE))
        if name != "hashworld-nginx.service":
            for server in ("mariadb", "rabbitmq-server", "redis-server"):
                assert f"{server}.service" in after.split(), name


def test_nginx_may_open_what_its_connections_need() -> None:
    nginx = (ROOT / "config/nginx/nginx.conf").read_text()
    unit = (FOLDER / "hashworld-nginx.service").read_text()
    (connections,) = re.findall(r"^ +worker_connections (\d+);", nginx, re.MULTILINE)
    (files,) = re.findall(r"^LimitNOFILE=(\d+)$", unit, re.MULTILINE)
    assert int(files) >= 2 * int(connections)


def test_a_migration_has_all_the_time_that_it_needs() -> None:
    text = (FOLDER / "hashworld-migrate.service").read_text()
    assert "\nTimeoutStartSec=infinity\n" in text
