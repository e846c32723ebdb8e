"""docker-compose.yml and docker/stack.yml: valid by their schemas, and what they promise."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft4Validator, Draft201909Validator

ROOT = Path(__file__).parents[3]
SCHEMAS = Path(__file__).parent / "schemas"
COMPOSE, STACK = ROOT / "docker-compose.yml", ROOT / "docker" / "stack.yml"
FILES = {"compose": COMPOSE, "stack": STACK}
VALIDATORS = {"compose": Draft201909Validator, "stack": Draft4Validator}
#: What is run from an image of ours.
OURS = ("nginx", "web", "worker", "scheduler", "flower", "rpc", "chatroom")
SERVERS = ("mysql", "rabbitmq", "redis")
#: Variables of .env.example that nobody may give to a stack, and why.
NOT_MEANT = {
    **dict.fromkeys(
        ("HASHWORLD_DATA_DIR", "HASHWORLD_WEB_BIND", "HASHWORLD_RPC_BIND", "HASHWORLD_CHAT_BIND"),
        "the image says it",
    ),
    **dict.fromkeys(("HASHWORLD_ALIVE_FILE", "HASHWORLD_NODE_NUMBER"), "one container, one node"),
    **dict.fromkeys(
        ("DATABASE_URL", "MYSQL_PORT", "MYSQL_DATABASE", "MYSQL_USER"), "the stack has its own"
    ),
    "DJANGO_DEBUG": "others can reach it",
    **dict.fromkeys(
        ("HASHWORLD_RPC_TLS_CERT", "HASHWORLD_RPC_TLS_KEY", "HASHWORLD_RPC_TLS_CLIENT_CA"),
        "nginx speaks TLS",
    ),
    **dict.fromkeys(("HASHWORLD_URL", "HASHWORLD_TOKEN"), "of the command line"),
}
GIVEN = re.compile(r"\$\{([A-Za-z_]+)(?::-([^}]*)|:\?)?\}")


@cache
def load(name: str) -> dict[str, Any]:
    """The file as the engine sees it where nothing is given but what must be."""
    text = GIVEN.sub(lambda found: found[2] or found[1].lower(), FILES[name].read_text())
    loaded: dict[str, Any] = yaml.safe_load(text.replace("$$", "$"))
    return loaded


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


@pytest.mark.parametrize("name", FILES)
def test_it_is_valid_by_its_schema(name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    loaded = dict(load(name))
    if name == "stack":
        # The client's own schema wants a version, which the client itself no longer asks for.
        loaded["version"] = "3.13"
    VALIDATORS[name](schema).validate(loaded)


@pytest.mark.parametrize("name", FILES)
def test_only_nginx_has_a_port(name: str) -> None:
    assert [service for service, each in load(name)["services"].items() if each.get("ports")] == [
        "nginx"
    ]


def test_in_a_swarm_every_machine_can_be_asked() -> None:
    nginx = load("stack")["services"]["nginx"]
    assert nginx["deploy"]["mode"] == "global"
    assert [port["mode"] for port in nginx["ports"]] == ["host"]


@pytest.mark.parametrize("name", FILES)
def test_what_is_ours_can_write_nothing_and_has_no_capability(name: str) -> None:
    for service in OURS:
        each = load(name)["services"][service]
        assert each["read_only"], service
        assert each["cap_drop"] == ["ALL"], service


@pytest.mark.parametrize("name", FILES)
def test_no_value_of_a_secret_is_in_the_environment(name: str) -> None:
    for service, each in load(name)["services"].items():
        for variable, value in each.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|_URL", variable) and value != "/ws/":
                assert variable.endswith("_FILE"), (service, variable)
                assert value.startswith("/run/secrets/"), (service, variable)


@pytest.mark.parametrize("name", FILES)
def test_every_setting_can_be_given_or_is_not_meant_to_be(name: str) -> None:
    known = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    passed = {
        variable.removesuffix("_FILE")
        for each in load(name)["services"].values()
        for variable in each.get("environment", {})
    }
    missing = [each for each in known if each not in passed | NOT_MEANT.keys()]
    assert missing == [], f"{FILES[name].name}: name it in x-environment, or in NOT_MEANT"
    assert [each for each in NOT_MEANT if each in passed or each not in known] == []


@pytest.mark.parametrize("name", FILES)
def test_a_setting_that_nobody_gives_is_what_it_is_without_a_stack(name: str) -> None:
    """But for those that a stack has reason to choose."""
    told = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    chosen = {"LOG_FORMAT", "DJANGO_ALLOWED_HOSTS", "DJANGO_TRUSTED_PROXIES"}
    text = FILES[name].read_text()
    passed = dict(re.findall(r'^  ([A-Z_]+): "?\$\{\1:-(.*?)\}"?$', text, re.MULTILINE))
    assert len(passed) > 10
    differ = {
        each
        for each, value in passed.items()
        if each not in chosen and value.lower() != told[each].lower()
    }
    assert differ == set()


@pytest.mark.parametrize("name", FILES)
def test_a_service_sees_the_secrets_that_it_reads_and_no_others(name: str) -> None:
    known = load(name)["secrets"]
    for service, each in load(name)["services"].items():
        text = json.dumps({key: each.get(key) for key in ("environment", "command", "healthcheck")})
        read = set(re.findall(r"/run/secrets/(\w+)", text))
        given = set(each.get("secrets", []))
        assert given <= set(known), service
        read |= {"nginx": {"tls_certificate", "tls_key"}, "rabbitmq": {"rabbitmq_definitions"}}.get(
            service, set()
        )
        assert given == read, service


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("service", SERVERS)
def test_a_server_is_asked_whether_it_is_well(name: str, service: str) -> None:
    assert load(name)["services"][service]["healthcheck"]["test"]


@pytest.mark.parametrize("name", FILES)
def test_logs_are_bounded(name: str) -> None:
    for service, each in load(name)["services"].items():
        assert {"max-size", "max-file"} <= set(each["logging"]["options"]), service


@pytest.mark.parametrize("name", FILES)
def test_a_node_has_more_time_to_stop_than_to_drain(name: str) -> None:
    worker = load(name)["services"]["worker"]
    drain = float(worker["environment"]["HASHWORLD_DRAIN_SECONDS"])
    assert seconds(worker["stop_grace_period"]) >= 2 * drain + 30


@pytest.mark.parametrize("name", FILES)
def test_each_role_has_the_broker_user_of_its_own(name: str) -> None:
    services = load(name)["services"]
    users = {
        service: services[service]["environment"]["CELERY_BROKER_URL_FILE"].rpartition("_")[2]
        for service in ("web", "worker", "scheduler", "flower", "rpc")
    }
    assert users == {
        "web": "submitter",
        "worker": "worker",
        "scheduler": "submitter",
        "flower": "monitor",
        "rpc": "submitter",
    }


def test_containers_of_compose_have_no_fixed_names_and_start_again() -> None:
    for service, each in load("compose")["services"].items():
        assert "container_name" not in each
        assert each["restart"] == ("no" if service == "migrate" else "unless-stopped")


def test_what_is_only_inside_reaches_nothing_else() -> None:
    loaded = load("compose")
    assert loaded["networks"]["inside"] == {"internal": True}
    outside = {
        service for service, each in loaded["services"].items() if "outside" in each["networks"]
    }
    # Fetches go out from workers, webhooks from schedulers.
    assert outside == {"nginx", "worker", "scheduler"}


def test_everything_waits_for_the_migration_and_that_for_the_servers() -> None:
    services = load("compose")["services"]
    assert services["migrate"]["depends_on"] == {
        server: {"condition": "service_healthy"} for server in SERVERS
    }
    for service in ("web", "worker", "scheduler"):
        assert services[service]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"}
        }


@pytest.mark.parametrize("name", FILES)
def test_every_role_runs_unless_somebody_says_otherwise(name: str) -> None:
    for service, each in load(name)["services"].items():
        assert "profiles" not in each, service
        assert str(each.get("deploy", {}).get("replicas", 1)) != "0", service


@pytest.mark.parametrize("name", FILES)
def test_web_and_the_chatroom_know_of_each_other(name: str) -> None:
    services = load(name)["services"]
    web, chatroom = (services[service]["environment"] for service in ("web", "chatroom"))
    assert web["HASHWORLD_CHAT_URL"] == "/ws/"
    assert web["HASHWORLD_CHAT_SECRET_FILE"] == chatroom["CHATROOM_SECRET_FILE"]
    assert chatroom["CHATROOM_RPC"] == "rpc:6666"
    assert chatroom["CHATROOM_TRUST_PROXY"] == "true"
    assert chatroom["CHATROOM_ORIGINS"].startswith("https://")


@pytest.mark.parametrize("name", FILES)
def test_the_chatroom_has_an_image_of_its_own(name: str) -> None:
    images = {
        service: load(name)["services"][service]["image"].partition(":")[0] for service in OURS
    }
    assert images.pop("chatroom").endswith("hashworld/chatroom")
    assert images.pop("nginx").endswith("hashworld/nginx")
    assert all(image.endswith("hashworld/core") for image in images.values())


def test_the_chatrooms_image_has_the_versions_that_are_tested() -> None:
    def locked(name: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / name).read_text(), re.MULTILINE))

    assert locked("requirements-chat.txt")
    assert locked("requirements-chat.txt") < locked("requirements.txt")


def test_in_the_swarm_who_needs_the_tables_waits_for_who_makes_them() -> None:
    services = load("stack")["services"]
    assert "--migrate" in services["web"]["command"]
    for service in ("worker", "scheduler", "rpc"):
        assert "--migrated" in services[service]["command"], service


def test_in_the_swarm_who_waits_gives_up_by_himself_before_he_is_replaced() -> None:
    services = load("stack")["services"]
    for service in set(OURS) - {"nginx"}:
        command = services[service]["command"]
        waits = int(command[command.index("--timeout") + 1])
        assert waits <= seconds(services[service]["healthcheck"]["start_period"]), service


def test_the_network_between_machines_is_encrypted_whatever_is_given() -> None:
    assert '{encrypted: "true"}' in STACK.read_text()


def test_names_inside_the_swarm_need_no_ip_vs() -> None:
    loaded = load("stack")
    for service, each in loaded["services"].items():
        assert each["deploy"]["endpoint_mode"] == "dnsrr", service
    (port,) = loaded["services"]["nginx"]["ports"]
    assert port["mode"] == "host"


def test_a_version_that_is_not_well_goes_back_in_the_swarm() -> None:
    for service in OURS:
        deploy = load("stack")["services"][service]["deploy"]
        order = "start-first" if service == "web" else "stop-first"
        assert deploy["update_config"]["order"] == order, service
        assert deploy["update_config"]["failure_action"] == "rollback", service


def test_secrets_and_configs_of_the_swarm_are_named_by_what_is_in_them() -> None:
    text = STACK.read_text()
    for name in load("stack")["secrets"]:
        assert f"${{HASHWORLD_SUM_{name}:?}}" in text


def test_both_files_say_the_same_of_what_runs_in_them() -> None:
    compose, stack = load("compose")["services"], load("stack")["services"]
    for service in (*OURS, *SERVERS):
        for key in ("stop_grace_period", "cap_drop", "cap_add", "hostname"):
            assert compose[service].get(key) == stack[service].get(key), (service, key)
        roles = [each[service].get("command", [])[-1:] for each in (compose, stack)]
        assert roles[0] == roles[1], service
    for service in SERVERS:
        assert compose[service].get("command") == stack[service].get("command"), service
        assert compose[service]["healthcheck"] == stack[service]["healthcheck"], service
