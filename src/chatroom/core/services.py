"""Services: what listens to the life of clients, by hooks.

A service sees a client's id, never its connection. Hooks must not wait; one that has something to
do over time starts it and returns.
"""

from collections.abc import Iterator
from typing import Any

from chatroom.core.messages import Person


class Service:
    """All hooks are optional. `on_connect`, `on_join` and `on_message` may raise Refused; a
    message for which `on_message` returns True is the service's, and nobody else's."""

    def on_connect(self, client: str, person: Person) -> None:
        """A client has shown its ticket."""

    def on_join(self, client: str, room: str) -> None:
        """A client enters a room."""

    def on_message(self, client: str, room: str, text: str, ref: str) -> bool:
        """A client says something in a room that it is in."""
        return False

    def on_leave(self, client: str, room: str) -> None:
        """A client is no longer in a room, whatever the reason."""

    def on_disconnect(self, client: str) -> None:
        """A client is gone, and has left all its rooms."""


class Services:
    """The services by name, in the order in which they were registered."""

    def __init__(self) -> None:
        self._named: dict[str, Service] = {}

    def register(self, name: str, service: Service) -> None:
        """Raises ValueError for a name that is taken."""
        if name in self._named:
            raise ValueError(f"there is a service {name} already")
        self._named[name] = service

    def __iter__(self) -> Iterator[Service]:
        return iter(self._named.values())

    def tell(self, hook: str, *arguments: Any) -> None:
        """Call a hook of every service; if any raises, the others are told all the same."""
        failures: list[Exception] = []
        for service in self:
            try:
                getattr(service, hook)(*arguments)
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def take(self, client: str, room: str, text: str, ref: str) -> bool:
        """Whether a service took the message for its own; raises what the service raises."""
        return any(service.on_message(client, room, text, ref) for service in self)
