"""scripts/deploy.sh and those beside it, on an engine that runs nothing."""

import os
import re
import shutil
import signal
from pathlib import Path

import pytest

from tests.services.service import comes_true
from tests.unit.deployment.docker import container
from tests.unit.deployment.engine import Engine

NUMBERS = {"scheduler": 2, "worker": 2}
SERVICES = ("nginx", "web", "rpc", "chatroom", "scheduler", "worker", "flower")
ONE = {service: ["one"] * NUMBERS.get(service, 1) for service in SERVICES}
#: nginx stays, for its configuration does not change here.
TWO = {service: ["two"] * len(tags) for service, tags in ONE.items()} | {"nginx": ["one"]}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A stack of the version `one`, with scripts that are not patient."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    engine = Engine(tmp_path)
    engine.set_up("one", ("one", "two"), **NUMBERS)
    script = tmp_path / "scripts" / "deploy.sh"
    text = (
        script.read_text()
        .replace("PATIENCE=90", "PATIENCE=1")
        .replace("SECONDS + 30", "SECONDS + 3")
    )
    script.write_text(text.replace("sleep 2 #", ": #"))
    return engine


def test_another_version_takes_the_place_of_each_and_nginx_asks_every_web_again(
    engine: Engine,
) -> None:
    code, said = engine.run("deploy.sh", "deploy", TAG="two")
    assert code == 0, said
    assert engine.versions() == TWO
    assert engine.fronts() == ["web:8000", "address-of-web-2-two:8000", "web:8000"]
    assert (engine.recall("HASHWORLD_TAG"), engine.recall("HASHWORLD_PREVIOUS")) == ("two", "one")


def test_secrets_that_a_version_brings_are_made_before_it(engine: Engine) -> None:
    assert engine.run("deploy.sh", "deploy", TAG="two")[0] == 0
    assert (engine.kept.parent / "secrets" / "chat_secret").exists()


@pytest.mark.parametrize(
    ("service", "trouble"),
    [("web", "refused"), ("web", "sick"), ("rpc", "refused"), ("flower", "sick")],
)
def test_all_goes_back_when_one_service_cannot_be_made_or_is_not_well(
    engine: Engine, service: str, trouble: str
) -> None:
    """As many of each as before; and why is told."""
    engine.change(**{trouble: [(service, "two")]})
    code, said = engine.run("deploy.sh", "deploy", TAG="two")
    assert code == 1
    assert "one runs again" in said
    assert trouble == "sick" or f"cannot create a container for {service}" in said
    assert engine.versions() == ONE
    assert engine.fronts()[-1] == "web:8000"
    assert engine.recall("HASHWORLD_TAG") == "one"


def test_where_one_has_no_successor_the_next_stays_and_the_missing_one_comes_back(
    engine: Engine,
) -> None:
    engine.change(refused=[("scheduler", "two")])
    assert engine.run("deploy.sh", "deploy", TAG="two")[0] == 1
    stopped = [word for word in engine.state()["asked"] if word.startswith("stop scheduler")]
    assert len(stopped) == 1
    assert engine.versions() == ONE


@pytest.mark.parametrize("trouble", ["nowhere", "deaf"])
def test_no_web_goes_before_nginx_asks_another(engine: Engine, trouble: str) -> None:
    # Only what deploy.sh asks of nginx while it rolls fails.
    script = engine.folder / "scripts" / "deploy.sh"
    script.write_text(script.read_text().replace("\nfront web:8000 ||", "\ntrue ||"))
    engine.change(**{trouble: True})
    assert engine.run("deploy.sh", "deploy", TAG="two")[0] == 1
    gone = [word for word in engine.state()["asked"] if re.match("(stop|rm) .*web-1-one", word)]
    assert gone == []


def test_readiness_is_asked_inside_and_more_than_once(engine: Engine) -> None:
    engine.change(unready=2)
    code, said = engine.run("deploy.sh", "deploy", TAG="two")
    assert code == 0, said
    asked = [word for word in engine.state()["asked"] if "/readyz" in word]
    assert len(asked) == 3
    assert all("exec -T nginx curl" in word for word in asked)


def test_a_version_that_never_answers_through_nginx_goes_back(engine: Engine) -> None:
    engine.change(unready=4)
    code, said = engine.run("deploy.sh", "deploy", TAG="two")
    assert code == 1
    assert "/readyz does not answer through nginx: 503" in said
    assert engine.versions() == ONE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_that_is_cut_off_leaves_nginx_with_every_web(
    engine: Engine, number: signal.Signals
) -> None:
    stopping = engine.folder / "stopping"
    engine.change(slow=str(stopping))
    with engine.begin("deploy.sh", "deploy", TAG="two") as process:
        assert comes_true(stopping.exists, 100)
        os.killpg(process.pid, number)
        assert process.wait(60) != 0
    assert engine.fronts()[-2:] == ["address-of-web-2-two:8000", "web:8000"]


def test_one_that_was_cut_off_is_taken_back_by_the_version_that_ran(engine: Engine) -> None:
    state = engine.state()
    engine.change(containers=[*state["containers"], container("web", 2, "two")])
    code, said = engine.run("deploy.sh", "deploy", TAG="one")
    assert code == 0
    assert "already" not in said
    assert engine.versions() == ONE
    assert engine.recall("HASHWORLD_PREVIOUS") == ""


def test_one_that_was_cut_off_is_finished_with_as_many_as_before(engine: Engine) -> None:
    state = engine.state()
    engine.change(containers=[*state["containers"], container("web", 2, "two")])
    assert engine.run("deploy.sh", "deploy", TAG="two")[0] == 0
    assert engine.versions() == TWO


def test_the_version_that_runs_is_not_deployed_again(engine: Engine) -> None:
    code, said = engine.run("deploy.sh", "deploy", TAG="one")
    assert (code, said.splitlines()[-1]) == (0, "hashworld: runs one already")
    assert engine.fronts() == ["web:8000"]


def test_a_command_that_runs_beside_is_none_of_the_stacks(engine: Engine) -> None:
    other = container("worker", 9, "zero", oneoff="True", health="none")
    engine.change(containers=[*engine.state()["containers"], other])
    assert engine.run("deploy.sh", "deploy", TAG="two")[0] == 0
    assert other in engine.state()["containers"]
    assert engine.versions()["worker"].count("two") == 2


def test_up_frees_nginx_of_a_web_that_may_go(engine: Engine) -> None:
    code, said = engine.run("stack.sh", "up")
    assert code == 0, said
    asked = engine.state()["asked"]
    (told,) = (place for place, word in enumerate(asked) if word.endswith("reload web:8000"))
    assert told < next(place for place, word in enumerate(asked) if " up -d" in word)


def test_a_stack_whose_containers_stand_still_is_not_up(engine: Engine) -> None:
    assert engine.run("stack.sh", "is-up")[0] == 0
    containers = [{**each, "status": "exited"} for each in engine.state()["containers"]]
    engine.change(containers=containers)
    assert engine.run("stack.sh", "is-up")[0] == 1


def test_a_backup_that_broke_is_in_nobodys_way(engine: Engine) -> None:
    engine.change(containers=[*engine.state()["containers"], container("mysql", 1, "11.8")])
    to = engine.folder / "backup"
    (engine.folder / "backup.draft").mkdir()  # of one that was killed
    engine.change(broken="mariadb-dump")
    assert engine.run("backup.sh", "backup", TO=str(to))[0] == 1
    assert sorted(each.name for each in engine.folder.glob("backup*")) == ["backup.draft"]
    engine.change(broken=" nothing ")
    code, said = engine.run("backup.sh", "backup", TO=str(to))
    assert code == 0, said
    assert (to / "SHA256SUMS").exists()


def deployed(engine: Engine, **given: str) -> str:
    """The version that a swarm runs after `make stack-deploy`."""
    code, said = engine.run("swarm.sh", "deploy", **given)
    assert code == 0, said
    assert engine.recall("HASHWORLD_TAG") == engine.state()["tag"]
    return str(engine.state()["tag"])


def test_in_a_swarm_only_the_version_changes_that_is_said_or_pulled(engine: Engine) -> None:
    engine.change(known=["one", "two", "unversioned"])
    assert deployed(engine, TAG="two") == "two"
    assert deployed(engine, WORKERS="5") == "two"
    assert engine.state()["workers"] == "5"
    assert deployed(engine, PORT="443") == "two"
    # What git tells of this clone.
    assert deployed(engine) == "unversioned"
    assert deployed(engine, TAG="one", WORKERS="2") == "one"


def test_a_swarm_tells_why_a_version_is_not_used(engine: Engine) -> None:
    deployed(engine, TAG="one")
    reason = "hashworld_web.1 on far: No such image: hashworld/core:two"
    before = "old hashworld_web.1 on near: unhealthy container"
    running = "new3 hashworld_rpc.1 on near: "
    ends = "\n".join([before, f"new1 {reason}", f"new2 {reason}", running])
    engine.change(rejected=True, ends=ends, **{"containers of it": "old"})
    code, said = engine.run("swarm.sh", "deploy", TAG="two")
    assert code == 1
    assert said.count(".1 on ") == 1
    assert said.splitlines()[-3:] == [
        f"hashworld: {reason}",
        "hashworld: not every machine has the images: where the registry asks who you are,"
        " docker login and say REGISTRY_AUTH=yes",
        "hashworld: two was not healthy, and is not used by: hashworld_web",
    ]
    assert engine.recall("HASHWORLD_TAG") == "one"


def test_a_change_that_a_swarm_put_back_before_is_not_told_again(engine: Engine) -> None:
    deployed(engine, TAG="one")
    engine.change(rejected=True)
    assert engine.run("swarm.sh", "deploy", TAG="one")[0] == 1
    engine.change(unchanged=True)
    assert engine.run("swarm.sh", "deploy", TAG="one")[0] == 0


def test_what_a_swarm_was_put_back_to_stays(engine: Engine) -> None:
    deployed(engine, TAG="two", WORKERS="3")
    deployed(engine, TAG="one", WORKERS="5")
    code, said = engine.run("swarm.sh", "rollback")
    assert code == 0, said
    assert (engine.recall("HASHWORLD_TAG"), engine.recall("HASHWORLD_WORKERS")) == ("two", "3")
    assert deployed(engine, PORT="443") == "two"
