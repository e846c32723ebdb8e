"""What the chatroom counts, for Prometheus."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from chatroom.chat import Chat


class Figures:
    """Read when asked, so that counting costs nothing in between."""

    def __init__(self, chat: Chat) -> None:
        self.put_out = 0
        self.turned_away = 0
        self._chat = chat
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """The figures as they are now."""
        chat, hub = self._chat, self._chat.hub
        sessions = chat.exchange.sessions
        for name, told, value in (
            ("clients", "Clients connected.", len(hub.clients)),
            ("rooms", "Rooms with clients of this instance.", len(hub.rooms())),
            ("sessions", "Requests that wait for a reply.", len(sessions)),
            ("bus_up", "Whether the bus can be reached.", int(chat.bus.up)),
            ("work", "Tasks in the background.", len(chat.work)),
        ):
            yield GaugeMetricFamily(f"chatroom_{name}", told, value)
        for name, told, value in (
            ("said", "Messages taken from clients.", chat.said),
            ("delivered", "Messages delivered to clients.", hub.delivered),
            ("refused", "Requests refused.", chat.refused),
            ("put_out", "Clients put out because they were too slow.", self.put_out),
            ("turned_away", "Connections not let in.", self.turned_away),
            ("late_replies", "Replies that came too late and were dropped.", sessions.late),
        ):
            yield CounterMetricFamily(f"chatroom_{name}", told, value)

    def text(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self._registry)
