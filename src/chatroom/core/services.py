"""Services: what listens to the life of clients, by hooks.

A service sees a client's id, never its connection. Hooks must not wait; one that has something to
do over time starts it and returns.
"""

from collections.abc import Callable, Iterator
from typing import Any

from chatroom.core.errors import Code, Refused
from chatroom.core.messages import Person

#: Is told which hook of which service failed, and how.
Report = Callable[[str, Exception], None]


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

    def __init__(self, report: Report) -> None:
        self._named: dict[str, Service] = {}
        self._report = report

    def register(self, name: str, service: Service) -> None:
        """Raises ValueError for a name that is taken."""
        if name in self._named:
            raise ValueError(f"there is a service {name} already")
        self._named[name] = service

    def __iter__(self) -> Iterator[Service]:
        return iter(self._named.values())

    def ask(self, hook: str, *arguments: Any) -> None:
        """Call a hook that may refuse, of every service; raises the first refusal.

        A hook that fails refuses as well: nobody gets past a service that is broken.
        """
        refusals = self._call(hook, *arguments)
        if refusals:
            raise refusals[0]

    def tell(self, hook: str, *arguments: Any) -> None:
        """Call a hook that has nothing to refuse, of every service; what fails is reported."""
        self._call(hook, *arguments)

    def take(self, client: str, room: str, text: str, ref: str) -> bool:
        """Whether a service took the message for its own; raises what the service raises."""
        return any(service.on_message(client, room, text, ref) for service in self)

    def _call(self, hook: str, *arguments: Any) -> list[Refused]:
        """Every service is called, whatever the others do."""
        refusals: list[Refused] = []
        for name, service in self._named.items():
            try:
                getattr(service, hook)(*arguments)
            except Refused as refusal:
                refusals.append(refusal)
            except Exception as error:
                self._report(f"{name}.{hook}", error)
                refusals.append(Refused(Code.UNAVAILABLE, "The chatroom failed; try again"))
        return refusals
