"""Publishing leases through Celery, by name and with the broker's confirmation."""

from amqp.exceptions import MessageNacked
from celery import Celery
from kombu.exceptions import OperationalError as BrokerError

from hashworld.celery import node_queue
from hashworld.tasks.lifetimes import start_time

TAKE_LEASE = "hashworld.take_lease"
#: How long the broker may take to confirm.
CONFIRM_SECONDS = 5.0


class CeleryPublisher:
    """Publishes to the nodes' queues over the application's pool of producers."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def reach(self) -> None:
        """Connect when there is no connection; raises the broker's error when it is away."""
        with self._app.producer_or_acquire() as producer:
            producer.connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)

    def publish(self, lease_id: int, node: str) -> None:
        """Hand a lease to its node's queue; returns only once the broker has confirmed.

        Raises the broker's error when it refuses or keeps silent. The message is worthless once
        the lease has expired; the broker drops it then, by its own clock. Celery's `expires` would
        have the node compare its clock with ours (contract C4).
        """
        with self._app.producer_or_acquire() as producer:
            try:
                self._app.send_task(
                    TAKE_LEASE,
                    args=[lease_id],
                    queue=node_queue(node),  # type: ignore[arg-type]  # declared before use
                    producer=producer,
                    retry=False,
                    confirm_timeout=CONFIRM_SECONDS,
                    expiration=start_time().total_seconds(),
                    ignore_result=True,
                )
            except Exception as error:
                # A confirmation that comes late must not be taken for the next message's.
                producer.connection.collect()
                if isinstance(error.__cause__, MessageNacked):
                    raise BrokerError(f"the queue of node {node} takes no more") from error
                raise
