"""Who is where, and what reaches whom, without any socket."""

import pytest

from chatroom.core.errors import Code, Refused
from chatroom.core.hub import Client, Hub
from chatroom.core.limits import Limits
from chatroom.core.messages import Person
from chatroom.core.services import Service, Services


class Port:
    def __init__(self) -> None:
        self.got: list[bytes] = []

    def write(self, frames: bytes) -> None:
        self.got += [part for part in frames.split(b"\n") if part]


class Diary(Service):
    """A service that writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, ...]] = []
        self.refuses = self.breaks = ""

    def on_connect(self, client: str, person: Person) -> None:
        self._write("connect", client, person.name)

    def on_join(self, client: str, room: str) -> None:
        self._write("join", client, room)

    def on_leave(self, client: str, room: str) -> None:
        self._write("leave", client, room)

    def on_disconnect(self, client: str) -> None:
        self._write("disconnect", client)

    def _write(self, *line: str) -> None:
        if line[0] == self.refuses:
            raise Refused(Code.FORBIDDEN, "no")
        if line[0] == self.breaks:
            raise RuntimeError(f"{line[0]} is broken")
        self.lines.append(line)


class Stage:
    def __init__(self, **limits: int) -> None:
        self.failures: list[tuple[str, str]] = []
        self.services = Services(lambda hook, error: self.failures.append((hook, str(error))))
        self.diary, self.second = Diary(), Diary()
        self.services.register("diary", self.diary)
        self.services.register("second", self.second)
        self.hub = Hub(self.services, Limits(**limits), lambda data: data + b"\n")
        self.ports: dict[str, Port] = {}

    def client(self, name: str, id: int = 1) -> Client:
        self.ports[name] = Port()
        client = Client(name, Person(id, name), self.ports[name])
        self.hub.connect(client)
        return client

    def inside(self, name: str, room: str, after: str = "0-0") -> Client:
        client = self.hub.clients.get(name) or self.client(name)
        self.hub.enter(client, room)
        self.hub.settle(client, room, b"joined", after)
        return client

    def got(self, name: str) -> list[bytes]:
        return self.ports[name].got


def entry(number: int) -> tuple[str, bytes]:
    return f"{number}-0", b'{"n":%d}' % number


def numbered(*numbers: int) -> list[bytes]:
    return [b'{"id":"%d-0","n":%d}' % (number, number) for number in numbers]


def test_what_is_delivered_reaches_those_in_the_room_alone():
    stage = Stage()
    stage.inside("a", "#x")
    stage.inside("b", "#y")
    stage.hub.deliver("#x", [entry(1), entry(2)])
    assert stage.got("a") == [b"joined", *numbered(1, 2)]
    assert stage.got("b") == [b"joined"]
    assert stage.hub.delivered == 2


def test_what_comes_while_history_is_read_follows_it_without_doubles():
    stage = Stage()
    client = stage.client("a")
    stage.hub.enter(client, "#x")
    stage.hub.deliver("#x", [entry(4), entry(5), entry(6)])
    assert stage.got("a") == []
    stage.hub.settle(client, "#x", b"joined up to 5", "5-0")
    assert stage.got("a") == [b"joined up to 5", *numbered(6)]
    stage.hub.deliver("#x", [entry(7)])
    assert stage.got("a")[2:] == numbered(7)


def test_history_that_is_ahead_of_delivery_is_not_delivered_again():
    stage = Stage()
    stage.inside("a", "#x", after="5-0")
    stage.hub.deliver("#x", [entry(3), entry(4)])
    stage.hub.deliver("#x", [entry(5), entry(6)])
    stage.hub.deliver("#x", [entry(7)])
    assert stage.got("a") == [b"joined", *numbered(6, 7)]


def test_a_client_that_drops_leaves_each_room_once_and_services_are_told_once():
    stage = Stage()
    client = stage.inside("a", "#x")
    stage.inside("a", "#y")
    stage.inside("b", "#y")
    assert stage.hub.disconnect("a") == ["#x"]
    assert stage.hub.disconnect("a") == []
    assert [line for line in stage.diary.lines if "a" in line] == [
        ("connect", "a", "a"),
        ("join", "a", "#x"),
        ("join", "a", "#y"),
        ("leave", "a", "#x"),
        ("leave", "a", "#y"),
        ("disconnect", "a"),
    ]
    assert not client.rooms
    assert stage.hub.rooms() == ["#y"]


def test_every_failure_of_a_service_is_reported_and_keeps_no_other_from_being_told():
    stage = Stage()
    stage.inside("a", "#x")
    stage.inside("a", "#y")
    stage.diary.breaks = "leave"
    stage.second.breaks = "disconnect"
    assert stage.hub.disconnect("a") == ["#x", "#y"]
    assert ("leave", "a", "#x") in stage.second.lines
    assert ("leave", "a", "#y") in stage.second.lines
    assert ("disconnect", "a") in stage.diary.lines
    assert stage.failures == [
        ("diary.on_leave", "leave is broken"),
        ("diary.on_leave", "leave is broken"),
        ("second.on_disconnect", "disconnect is broken"),
    ]
    assert not stage.hub.clients
    assert not stage.hub.rooms()


def test_a_client_that_a_service_refuses_is_not_there_and_all_are_told_that_it_is_gone():
    stage = Stage()
    stage.diary.refuses = "connect"
    with pytest.raises(Refused):
        stage.client("a")
    assert not stage.hub.clients
    assert stage.second.lines == [("connect", "a", "a"), ("disconnect", "a")]
    assert not stage.failures


def test_a_room_that_a_service_refuses_is_left_by_all():
    stage = Stage()
    client = stage.client("a")
    stage.diary.refuses = "join"
    with pytest.raises(Refused):
        stage.hub.enter(client, "#x")
    assert not client.rooms
    assert not stage.hub.rooms()
    assert stage.second.lines[-2:] == [("join", "a", "#x"), ("leave", "a", "#x")]


def test_nobody_gets_past_a_service_that_is_broken():
    stage = Stage()
    stage.second.breaks = "connect"
    with pytest.raises(Refused) as caught:
        stage.client("a")
    assert caught.value.code is Code.UNAVAILABLE
    assert not stage.hub.clients
    assert stage.failures == [("second.on_connect", "connect is broken")]


def test_leaving_while_history_is_read_gets_nothing():
    stage = Stage()
    client = stage.client("a")
    stage.hub.enter(client, "#x")
    assert stage.hub.leave(client, "#x")
    stage.hub.settle(client, "#x", b"joined", "1-0")
    assert stage.got("a") == []
    assert not stage.hub.leave(client, "#x")


def test_a_client_is_in_so_many_rooms_and_no_more():
    stage = Stage(rooms=2)
    stage.inside("a", "#x")
    stage.inside("a", "#y")
    stage.inside("a", "#y")
    with pytest.raises(Refused) as caught:
        stage.inside("a", "#z")
    assert caught.value.code is Code.TOO_MANY


def test_two_services_of_one_name_are_refused():
    stage = Stage()
    with pytest.raises(ValueError, match="diary"):
        stage.services.register("diary", Diary())
