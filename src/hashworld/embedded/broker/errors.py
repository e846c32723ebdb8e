"""What can go wrong between a process and the broker file."""


class BrokerError(Exception):
    """Base of the embedded broker's errors."""


class LeaseLostError(BrokerError):
    """This process did not renew its lease in time, so what it held was given to others.

    Reconnect: consumers and their own queues have to be declared again.
    """


class QueueNotFoundError(BrokerError):
    """The queue was never declared, or it has expired. Declare it before using it."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"no queue {queue!r} in the broker file: declare it first")
