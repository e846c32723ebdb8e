"""The network between the processes under test and the servers: a link to each, for each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from tests.chaos.proxy import PASS, Loop, Proxy, Weather

#: The variables that name the servers of the cluster footing.
DATABASE, BROKER = "DATABASE_URL", "CELERY_BROKER_URL"


@dataclass(frozen=True, slots=True)
class Links:
    """How one process reaches the servers."""

    database: Proxy
    broker: Proxy

    def both(self) -> tuple[Proxy, Proxy]:
        return self.database, self.broker

    def set(self, weather: Weather) -> None:
        """Let both be so from now on."""
        for link in self.both():
            link.set(weather)

    def heal(self) -> None:
        """Make both whole; what was held comes through."""
        self.set(PASS)


class Network:
    """Gives every process, by its name, links of its own, which outlive its restarts."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = {name: urls[name] for name in (DATABASE, BROKER)}
        self._loop = Loop()
        self._links: dict[str, Links] = {}

    def __getitem__(self, name: str) -> Links:
        if name not in self._links:
            ports = (urlsplit(self._urls[variable]).port or 0 for variable in (DATABASE, BROKER))
            self._links[name] = Links(*(Proxy(self._loop, port) for port in ports))
        return self._links[name]

    def __iter__(self) -> Iterator[Links]:
        return iter(self._links.values())

    def environment(self, name: str) -> dict[str, str]:
        """The variables that lead a process over its links."""
        links = self[name]
        return {
            DATABASE: _through(self._urls[DATABASE], links.database),
            BROKER: _through(self._urls[BROKER], links.broker),
        }

    def __enter__(self) -> Self:
        self._loop.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._loop.__exit__(*raised)


def _through(url: str, link: Proxy) -> str:
    """The URL with the link's port in place of the server's."""
    server = urlsplit(url)
    account, _, _ = server.netloc.rpartition("@")
    return server._replace(netloc=f"{account}@127.0.0.1:{link.port}").geturl()
