"""Every verb names the scope that it needs, and whoever may nothing may call none of them."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from hashworld.api import tokens
from hashworld.verbs import hosts, jobs, nodes, rights, schedules, tasks
from hashworld.verbs.errors import Forbidden
from tests.integration.people import Member

PACKAGES = (hosts, jobs, nodes, schedules, tasks)


def public(module: Any) -> dict[str, Callable[..., Any]]:
    """The functions that a module defines for others."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": found
        for name, found in vars(module).items()
        if inspect.isfunction(found)
        and found.__module__ == module.__name__
        and not name.startswith("_")
    }


ALL = {name: found for module in PACKAGES for name, found in public(module).items()}


@pytest.mark.parametrize("name", sorted({**ALL, **public(tokens)}.keys() - {"tokens.authenticate"}))
def test_every_public_function_is_a_verb_for_a_user(name: str) -> None:
    function = {**ALL, **public(tokens)}[name]
    assert rights.is_verb(function), "mark it with @verb and its scope"
    assert next(iter(inspect.signature(function).parameters)) == "user"


#: What a verb that nobody may call is called with beside the user, by the parameter's name.
VALUES: dict[str, Any] = {
    "job_id": 1,
    "task_id": 1,
    "task_ids": [1],
    "schedule_id": 1,
    "name": "x",
    "names": ["x"],
    "urls": ["https://example.com/"],
    "key": "k",
    "max_tasks": 5,
    "template": None,
    "timing": None,
    "wanted": None,
}


@pytest.mark.parametrize("name", sorted(ALL))
def test_whoever_is_in_no_group_may_call_no_verb(person: Member, name: str) -> None:
    nobody: User = person("nobody")
    needed = {
        parameter.name: VALUES[parameter.name]
        for parameter in list(inspect.signature(ALL[name]).parameters.values())[1:]
        if parameter.default is parameter.empty or parameter.name == "wanted"
    }
    with pytest.raises(Forbidden):
        answer = ALL[name](nobody, **needed)
        list(answer)  # an iterator does nothing until it is asked


def test_what_is_no_verb_has_no_scope() -> None:
    with pytest.raises(KeyError):
        rights.scope_of(len)
