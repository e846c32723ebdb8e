"""Who is a node, and who is the master, as real processes settle it."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from hashworld.celery import app
from hashworld.embedded.roles import node_command, scheduler_command
from hashworld.nodes import clock, leadership
from hashworld.nodes.models import Land, Leadership, Node, NodeState
from tests.chaos.nodes import Program
from tests.chaos.stage import Stage
from tests.system.conftest import LEASE

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]

Launch = Callable[..., Program]


@pytest.fixture
def launch(stage: Stage, tmp_path: Path) -> Iterator[Launch]:
    """Start a process beside the stage's own; what runs is killed at the end."""
    programs: list[Program] = []

    def start(name: str, command: list[str], **environment: str) -> Program:
        log = tmp_path / f"{len(programs)}-{name}.log"
        surroundings = {**stage.fleet.environment, **environment}
        programs.append(Program(command, surroundings, log))
        return programs[-1]

    yield start
    for program in programs:
        program.kill()


def test_a_second_process_under_a_given_name_says_so_and_does_not_start(
    stage: Stage, launch: Launch
) -> None:
    stage.start("one")
    (name,) = stage.names()
    incarnation = stage.incarnation(name)
    second = launch(name, node_command(name), HASHWORLD_NODE_NAME=name)
    assert second.wait() == 1
    (line,) = (line for line in second.said().splitlines() if name in line)
    assert f"{name} is the name of a node that is alive" in line
    assert "HASHWORLD_NODE_NAME" in line
    assert "Traceback" not in second.said()
    assert stage.incarnation(name) == incarnation
    stage.page("page")
    stage.settle()


def test_a_node_whose_data_folder_was_copied_gets_a_name_of_its_own(
    stage: Stage, launch: Launch, tmp_path: Path
) -> None:
    folders = [tmp_path / "original", tmp_path / "copy"]
    for folder in folders:
        folder.mkdir()
        (folder / "node-name").write_text("twin")
    broker = app.conf.broker_url
    for folder in folders:
        node = launch(
            folder.name,
            node_command("twin"),
            HASHWORLD_DATA_DIR=str(folder),
            CELERY_BROKER_URL=broker,
        )
        node.wait_for_line("node ready")
    now = clock.now()
    other = (folders[1] / "node-name").read_text()
    assert {node.name for node in Node.objects.available(now)} == {"twin", other}
    assert (folders[0] / "node-name").read_text() == "twin"
    assert node.said().count("the data folder was copied") == 1


def test_an_older_process_that_lost_its_name_while_it_was_frozen_stops_itself(
    stage: Stage, launch: Launch
) -> None:
    stage.start("one")
    (older,) = stage.fleet.nodes
    stage.freeze(older)
    newer = launch(older.name, node_command(older.name), HASHWORLD_NODE_NAME=older.name)
    newer.wait_for_line("node ready")
    incarnation = stage.incarnation(older.name)
    older.thaw()
    assert older.wait() == 0
    assert "another process has taken this node's name" in older.said()
    node = Node.objects.get(name=older.name)
    assert (node.incarnation, node.state) == (incarnation, NodeState.ALIVE)


def test_a_node_is_reached_by_control_commands_under_its_address(stage: Stage) -> None:
    stage.start("one", "two")
    for node in Node.objects.all():
        assert node.incarnation in node.address
        ping = partial(app.control.ping, destination=[node.address], timeout=10)
        stage.wait(ping, "an answer")
        assert ping() == [{node.address: {"ok": "pong"}}]


def test_a_first_start_without_any_scheduler_fetches_all_the_same(stage: Stage) -> None:
    stage.start("one")
    for _ in range(10):
        stage.page("page")
    stage.settle()
    assert not Land.objects.exclude(node=None).exists()
    assert not Leadership.objects.exists()


def test_the_lands_follow_the_nodes_whoever_is_the_master(stage: Stage, launch: Launch) -> None:
    stage.start("one", "two")
    masters = {}
    for name in ("a", "b"):
        masters[name] = launch(name, scheduler_command(), HASHWORLD_NODE_NAME=name)

    def owners() -> set[str | None]:
        return set(Land.objects.values_list("node__name", flat=True))

    def master_other_than(holder: str) -> bool:
        found = leadership.master(clock.now())
        return found is not None and found.holder != holder

    stage.wait(lambda: owners() == set(stage.names()), "lands of both nodes")
    first = Leadership.objects.get()
    began = clock.now()
    masters[first.name].kill()
    stage.wait(lambda: master_other_than(first.holder), "another master")
    assert (clock.now() - began).total_seconds() < LEASE * 4 / 3
    gone, left = stage.names()
    stage.fleet.retire(gone)
    stage.wait(lambda: owners() == {left}, "lands of the node that is left")
    assert Leadership.objects.get().term == first.term + 1


def test_a_scheduler_that_is_asked_to_stop_lets_another_lead_at_once(
    stage: Stage, launch: Launch
) -> None:
    def leader() -> str | None:
        found = leadership.master(clock.now())
        return found.name if found else None

    first = launch("a", scheduler_command(), HASHWORLD_NODE_NAME="a")
    stage.wait(lambda: leader() == "a", "a master")
    first.terminate()
    first.wait()
    assert leader() is None
