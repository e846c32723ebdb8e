"""A process that holds a message and then hangs, until its standard input closes.

Arguments: the broker file, the lease in seconds. It declares the queue "work", an exclusive queue
"private" bound to the exchange "news", claims a message of "work" and says READY. For each line it
reads it answers whether it still has its lease.
"""

import sys
import time
from pathlib import Path

from hashworld.embedded.broker import broker_at


def main(path: str, lease: str) -> None:
    broker = broker_at(Path(path))
    owner = broker.open_owner(float(lease))
    broker.queues.declare("work", now=time.monotonic())
    broker.queues.declare("private", now=time.monotonic(), exclusive_to=owner.id)
    broker.queues.bind("news", "", "", "private")
    broker.queues.add_consumer("private", owner.id, "tag")
    broker.messages.claim("work", owner, time.time())
    print("READY", flush=True)
    for _ in sys.stdin:
        print("HOLDS" if broker.owners.holds(owner) else "LOST", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
