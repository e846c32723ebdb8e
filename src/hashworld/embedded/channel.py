"""A channel of the embedded broker: kombu's calls, said to the broker file."""

# kombu's type stubs know its virtual transports only roughly; where they are wrong, it is ignored.
# mypy: disable-error-code="override"

import logging
import time
from collections.abc import Callable
from queue import Empty
from typing import TYPE_CHECKING, Any

from kombu.transport import virtual
from kombu.transport.base import to_rabbitmq_queue_arguments  # type: ignore[attr-defined]
from kombu.utils.json import dumps, loads

from hashworld.embedded.broker.messages import NEVER
from hashworld.embedded.broker.owners import Owner
from hashworld.embedded.broker.queues import Binding

if TYPE_CHECKING:
    from hashworld.embedded.transport import Transport

TRANSIENT = 1
"""AMQP's delivery mode of a message that need not survive a power cut."""

logger = logging.getLogger(__name__)


class QoS(virtual.QoS):
    """What a channel has delivered and not yet acknowledged. A delivery tag is a message's id."""

    channel: "Channel"

    def ack(self, delivery_tag: str) -> None:
        if not self.channel.broker.messages.ack(int(delivery_tag), self.channel.owner):
            logger.warning("Message %s was given back before it was acknowledged.", delivery_tag)
        super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if not requeue:
            return self.ack(delivery_tag)
        super().ack(delivery_tag)  # first: once given back, it may come again under the same tag
        self.channel.broker.messages.give_back([int(delivery_tag)], self.channel.owner)

    def restore_unacked(self) -> list[Any]:
        self._flush()  # type: ignore[attr-defined]
        delivered: dict[str, Any] = self._delivered or {}
        if delivered:
            self.channel.broker.messages.give_back(map(int, delivered), self.channel.owner)
            delivered.clear()
        return []  # none that could not be restored


class Channel(virtual.Channel):
    """A channel whose exchanges' bindings, queues and messages are in the broker file."""

    QoS = QoS
    supports_fanout = True
    connection: "Transport"

    def __init__(self, connection: "Transport", **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        # A channel outlives its connection where a task acknowledges late.
        self.broker = connection.broker
        self._owner: Owner | None = None
        self._queues_without_ack: set[str] = set()

    @property
    def owner(self) -> Owner:
        """In whose name this channel holds messages: its connection's owner."""
        if self._owner is None:
            self._owner = self.connection.owner
        return self._owner

    # Queues and bindings

    def prepare_queue_arguments(self, arguments: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        prepared: dict[str, Any] = to_rabbitmq_queue_arguments(arguments or {}, **kwargs)
        return prepared

    def queue_delete(
        self, queue: str, if_unused: bool = False, if_empty: bool = False, **kwargs: Any
    ) -> None:
        self.broker.queues.delete(queue, if_unused=if_unused, if_empty=if_empty)

    def queue_bind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        # Not remembered in this process, as kombu does: another process may have dropped the queue.
        self.broker.queues.bind(*self._binding(queue, exchange, routing_key, arguments))

    def queue_unbind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.broker.queues.unbind(*self._binding(queue, exchange, routing_key, arguments))

    def exchange_delete(self, exchange: str, if_unused: bool = False, nowait: bool = False) -> None:
        self.broker.queues.unbind_all(exchange)
        self.state.exchanges.pop(exchange, None)  # type: ignore[union-attr]

    def get_table(self, exchange: str) -> list[Binding]:
        return self.broker.queues.bindings(exchange)

    def _binding(
        self, queue: str, exchange: str | None, routing_key: str, arguments: dict[str, Any] | None
    ) -> tuple[str, str, str, str]:
        exchange = exchange or "amq.direct"
        meta: Any = self.typeof(exchange).prepare_bind(queue, exchange, routing_key, arguments)
        key, pattern, _ = meta
        return exchange, key or "", pattern or "", queue

    def _new_queue(
        self,
        queue: str,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        arguments = arguments or {}
        self.broker.queues.declare(
            queue,
            now=time.monotonic(),
            exclusive_to=self.owner.id if exclusive else None,
            auto_delete=auto_delete,
            expires=_seconds(arguments.get("x-expires")),
            message_ttl=_seconds(arguments.get("x-message-ttl")),
        )

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return self.broker.queues.exists(queue)

    def _size(self, queue: str) -> int:
        return self.broker.messages.size(queue, time.time())

    def _purge(self, queue: str) -> int:
        return self.broker.messages.purge(queue)

    # Messages in

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        if self._put_to_all([queue], message) == 0 and not _exchange_of(message):
            # Addressed to the queue by name: the message comes first, whoever declares it later.
            self._new_queue(queue)
            self._put_to_all([queue], message)

    def _put_fanout(
        self, exchange: str, message: dict[str, Any], routing_key: str, **kwargs: Any
    ) -> None:
        queues = {queue for _, _, queue in self.get_table(exchange)}
        if queues:
            self._put_to_all(sorted(queues), message)

    def _put_to_all(self, queues: list[str], message: dict[str, Any]) -> int:
        properties, now = message["properties"], time.time()
        lifetime = _seconds(properties.get("expiration"))
        self.broker.keeper.run_if_due(time.monotonic(), now)
        return self.broker.messages.put(
            queues,
            dumps(message),
            now=now,
            expires_at=NEVER if lifetime is None else now + lifetime,
            durable=properties.get("delivery_mode") != TRANSIENT,
        )

    # Messages out

    def basic_consume(
        self,
        queue: str,
        no_ack: bool,
        callback: Callable[..., Any],
        consumer_tag: str,
        **kwargs: Any,
    ) -> None:
        self.broker.queues.add_consumer(queue, self.owner.id, consumer_tag)
        if no_ack:
            self._queues_without_ack.add(queue)
        super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)

    def basic_cancel(self, consumer_tag: str) -> None:
        queue = self._tag_to_queue.get(consumer_tag)
        super().basic_cancel(consumer_tag)
        if queue is not None:
            self._queues_without_ack.discard(queue)
            self.broker.queues.remove_consumer(queue, self.owner.id, consumer_tag, time.monotonic())

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> virtual.Message | None:
        try:
            message = self.Message(self._receive(queue, no_ack), channel=self)
        except Empty:
            return None
        if not no_ack:
            self.qos.append(message, str(message.delivery_tag))
        return message

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        return self._receive(queue, no_ack=queue in self._queues_without_ack)

    def _receive(self, queue: str, no_ack: bool) -> dict[str, Any]:
        messages, now = self.broker.messages, time.time()
        delivery = messages.take(queue, now) if no_ack else messages.claim(queue, self.owner, now)
        if delivery is None:
            raise Empty
        payload: dict[str, Any] = loads(delivery.payload)
        payload["properties"]["delivery_tag"] = str(delivery.id)
        payload["properties"]["delivery_info"]["redelivered"] = delivery.redelivered
        return payload


def _exchange_of(message: dict[str, Any]) -> str:
    return message["properties"]["delivery_info"].get("exchange") or ""


def _seconds(milliseconds: str | int | None) -> float | None:
    return None if milliseconds is None else float(milliseconds) / 1000
