"""The command lines of the roles."""

from dataclasses import replace

from hashworld.embedded import roles


def test_one_machine_runs_web_nodes_and_a_scheduler():
    children = roles.children(2, "127.0.0.1:8000")
    assert [child.name for child in children] == ["web", "node-1", "node-2", "scheduler"]
    numbers = [child.environment.get("HASHWORLD_NODE_NUMBER") for child in children]
    assert numbers == [None, "1", "2", None]


def test_a_single_node_has_the_machines_name_and_no_number():
    _, node, _ = roles.children(1, "127.0.0.1:8000")
    assert node.environment["HASHWORLD_NODE_NUMBER"] == "0"


def test_the_web_server_listens_where_it_is_told():
    command = roles.web_command("127.0.0.1:8123")
    assert command[command.index("--bind") + 1] == "127.0.0.1:8123"


def test_nodes_are_never_more_than_the_database_bears(monkeypatch):
    for cores, nodes in ((None, 1), (1, 1), (2, 1), (4, 2), (64, roles.NODES[-1])):
        monkeypatch.setattr(roles.os, "cpu_count", lambda cores=cores: cores)
        assert roles.default_nodes() == nodes


def test_a_node_looks_names_up_with_the_patience_that_the_environment_says(settings):
    settings.ENV = replace(settings.ENV, resolver_options="timeout:9")
    assert roles.node_environment(1)["RES_OPTIONS"] == "timeout:9"
