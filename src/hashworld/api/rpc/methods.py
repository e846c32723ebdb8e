"""The methods of the door: each a plain function with its rule, in one register.

A method of the proto that nobody registered, or registered without a rule, is not served: the
server does not start (`missing`), and a call of it would find nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.descriptor import MethodDescriptor

from hashworld.api import communicate_pb2
from hashworld.api.rpc.access import Rule
from hashworld.verbs import rights

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Method:
    """What serves a method, and who may call it."""

    function: Callable[..., Any]
    rule: Rule


REGISTER: dict[str, Method] = {}


def serves(
    name: str, verb: Callable[..., Any] | None = None, *, nodes: bool = False
) -> Callable[[F], F]:
    """Register a function as "Service.Method" for callers who may use a verb, and for nodes.

    Without either, nobody may call it. A KeyError for a function that is no verb.
    """
    rule = Rule(rights.scope_of(verb) if verb else None, nodes)

    def register(function: F) -> F:
        REGISTER[name] = Method(function, rule)
        return function

    return register


def described() -> dict[str, MethodDescriptor]:
    """Every method of the proto, as "Service.Method"."""
    services = communicate_pb2.DESCRIPTOR.services_by_name.values()
    return {f"{s.name}.{method.name}": method for s in services for method in s.methods}


def missing() -> list[str]:
    """The methods of the proto that nobody may call or nobody serves."""
    open_ = {name for name, method in REGISTER.items() if method.rule != Rule()}
    return sorted(described().keys() - open_)
