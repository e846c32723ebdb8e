"""One process of a busy broker: `write URL COUNT` or `read URL FILE`.

The writer sends the numbers up to COUNT and then one END to each of three readers. A reader appends
each number it receives to FILE before it acknowledges it, until it receives an END.
"""

import sys

from kombu import Connection, Exchange, Message, Queue

from hashworld.embedded.transport import register

NUMBERS = Queue("numbers", Exchange("traffic", "direct"), "numbers")
READERS = 3
END = -1


def write(url: str, count: str) -> None:
    with Connection(url) as connection:
        producer = connection.Producer()
        for number in [*range(int(count)), *[END] * READERS]:
            producer.publish(
                number, exchange=NUMBERS.exchange, routing_key="numbers", declare=[NUMBERS]
            )


def read(url: str, file: str) -> None:
    numbers: list[int] = []
    with open(file, "w") as seen, Connection(url) as connection:
        channel = connection.channel()
        channel.basic_qos(0, 1, False)

        def receive(number: int, message: Message) -> None:
            numbers.append(number)
            if number != END:
                seen.write(f"{number}\n")
            message.ack()

        with connection.Consumer([NUMBERS], channel=channel, callbacks=[receive]):
            while END not in numbers[-1:]:
                connection.drain_events(timeout=60)


if __name__ == "__main__":
    register()
    {"write": write, "read": read}[sys.argv[1]](*sys.argv[2:])
