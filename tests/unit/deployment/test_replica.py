"""The name of a container among the replicas of its service."""

import struct

import pytest

from scripts.replica import answered, name, question


@pytest.mark.parametrize(
    ("full", "replica"),
    [
        ("hashworld-worker-2.hashworld_inside", "worker-2"),
        ("hash-world-worker-12.hash-world_inside", "worker-12"),
        ("machine.example.org", "0123456789ab"),
        ("hashworld-migrate-run-f00.hashworld_inside", "0123456789ab"),
        ("", "0123456789ab"),
    ],
)
def test_a_replica_is_known_by_its_service_and_number(full: str, replica: str) -> None:
    assert name(full, "0123456789ab") == replica


def test_a_name_server_is_asked_for_the_address_backwards() -> None:
    assert question("10.0.0.4")[12:] == (b"\x014\x010\x010\x0210\x07in-addr\x04arpa\0\0\x0c\0\x01")


def test_its_answer_is_read_with_names_that_point_back() -> None:
    asked = question("10.0.0.4")
    target = b"\x03web\xc0\x0c"
    message = (
        asked[:6]
        + b"\0\x01\0\0\0\0"
        + asked[12:]
        + b"\xc0\x0c\0\x0c\0\x01\0\0\x02\x58"
        + struct.pack(">H", len(target))
        + target
    )
    assert answered(message) == "web.4.0.0.10.in-addr.arpa."


def test_an_answer_without_a_name_is_none() -> None:
    assert answered(question("10.0.0.4")) == ""


@pytest.mark.parametrize("message", [b"", b"\0" * 6 + b"\0\x01\0\0\0\0" + b"\xc0\x0c" * 3])
def test_a_broken_answer_is_refused(message: bytes) -> None:
    with pytest.raises((IndexError, struct.error, ValueError)):
        answered(message)
