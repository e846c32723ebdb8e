"""A `docker` that runs nothing: it keeps what there would be in a file, and what it was asked.

It knows what the scripts of a stack say, and no more. A script calls it a hundred times, so it
needs few modules.
"""

import json
import os
import select
import sys
from typing import Any

Container = dict[str, Any]


def container(service: str, number: int, tag: str, **more: object) -> Container:
    """One that runs and is healthy."""
    name = f"{service}-{number}-{tag}"
    return {"id": name, "service": service, "number": number, "tag": tag, "status": "running",
            "health": "healthy", "oneoff": "False", **more}  # fmt: skip


class Refused(Exception):
    """What the engine says when it does not."""


def answer(state: dict[str, Any], words: list[str]) -> str:
    """What it prints for a command."""
    match words:
        case ["ps", option, *filters]:
            return listing(state["containers"], "a" in option, " ".join(filters))
        case ["image", "inspect", *_, name]:
            return identity(state, name)
        case ["inspect", _, form, *names]:
            return "\n".join(told(state, form, name) for name in names)
        case ["stop", *names]:
            if mark := state.get("slow"):
                open(mark, "w").close()
                select.select([], [], [], 30)
            for each in chosen(state, names):
                each["status"] = "exited"
        case ["rm", *names]:
            gone = [each["id"] for each in chosen(state, names)]
            state["containers"] = [each for each in state["containers"] if each["id"] not in gone]
        case ["compose", _, _, _, _, _, _, "up", *_, scale, service] if "=" in scale:
            grow(state, service, int(scale.partition("=")[2]))
        case ["compose", *_, "reload", _] if state.get("deaf"):
            raise Refused("nginx takes nothing")
        case ["compose", *rest] if "curl" in rest and state.get("unready", 0) > 0:
            state["unready"] -= 1
            raise Refused("503")
        case ["compose", *rest] if "broken" in state and state["broken"] in " ".join(rest):
            raise Refused("it broke")
        case ["node", *_]:
            return "machine"
        case ["stack" | "service", *_]:
            return swarm(state, words)
    return ""


def swarm(state: dict[str, Any], words: list[str]) -> str:
    """What it prints for a command about a stack of web and workers."""
    match words:
        case ["stack", "deploy", *_]:
            state["change"] = state.get("change", 0) + ("unchanged" not in state)
            if "rejected" not in state:
                state["before"], state["tag"] = state.get("tag"), os.environ["HASHWORLD_TAG"]
            state["workers"] = os.environ["HASHWORLD_WORKERS"]
        case ["service", "update", "--rollback", *_]:
            state["tag"], state["workers"] = state["before"], 3
        case ["stack", "ps", *rest]:
            return str(state.get("ends" if "--format" in rest else "containers of it", ""))
        case ["stack", "services", "-q", *_]:
            return "web"
        case ["stack", "services", *_, form, _] if "Replicas" in form:
            return "hashworld_web 1/1"
        case ["stack", "services", *_]:
            return "hashworld_web"
        case ["service", "inspect", _, form, *_] if "StartedAt" in form:
            ended = "rollback_completed" if "rejected" in state else "completed"
            return f"hashworld_web {state.get('change', '')} {ended}"
        case ["service", "inspect", _, form, *_] if "PreviousSpec" in form:
            return "yes"
        case ["service", "inspect", _, form, *_] if "Replicas" in form:
            return str(state["workers"])
        case ["service", "inspect", _, form, *_] if "Image" in form:
            return "hashworld_web " * ("Name" in form) + f"hashworld/core:{state['tag']}"
    return ""


def listing(containers: list[Container], stopped: bool, filters: str) -> str:
    """The ids that the filters let through."""
    words = filters.replace("label=com.docker.compose.", "").split()
    wanted = dict(word.split("=") for word in words if "=" in word)
    return "\n".join(
        each["id"]
        for each in containers
        if (stopped or each["status"] == "running")
        and wanted.get("service", each["service"]) == each["service"]
        and wanted.get("oneoff", each["oneoff"]) == each["oneoff"]
    )


def identity(state: dict[str, Any], name: str) -> str:
    """An image's id, which is its version's name."""
    tag = name.rpartition(":")[2]
    if tag not in state["known"]:
        raise Refused(f"no such image: {name}")
    return str(tag)


def chosen(state: dict[str, Any], names: list[str]) -> list[Container]:
    """The containers of these names."""
    return [each for each in state["containers"] if each["id"] in names]


def told(state: dict[str, Any], form: str, name: str) -> str:
    """What `inspect` says of a container, or of an image."""
    if "hashworld.configuration" in form:
        return "the same"
    (each,) = chosen(state, [name])
    if "{{.Name}}" in form:
        return f"/{name} {each['status']} {each['health']} 0 {each['service']}"
    if "IPAddress" in form:
        return "" if state.get("nowhere") else f"address-of-{name}"
    return str(each["health"] if "Health" in form else each["tag"])


def grow(state: dict[str, Any], service: str, number: int) -> None:
    """So many containers of a service; new ones are of the version that is given."""
    tag = os.environ["HASHWORLD_TAG"]
    mine = [
        each
        for each in state["containers"]
        if each["service"] == service and each["oneoff"] == "False"
    ]
    highest = max((each["number"] for each in mine), default=0)
    for more in range(number - len(mine)):
        if [service, tag] in state.get("refused", []):
            raise Refused(f"cannot create a container for {service}")
        health = "unhealthy" if [service, tag] in state.get("sick", []) else "healthy"
        state["containers"].append(container(service, highest + 1 + more, tag, health=health))


def main(file: str, words: list[str]) -> int:
    """One command."""
    with open(file) as kept:
        state = json.load(kept)
    state["asked"].append(" ".join(words))
    try:
        print(answer(state, words))
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    finally:
        with open(f"{file}.draft", "w") as draft:
            json.dump(state, draft)
        os.replace(f"{file}.draft", file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
