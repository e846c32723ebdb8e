"""The terminal client: what it shows, and that it comes back."""

import asyncio
from typing import Any, cast

from chatroom.client import stay
from chatroom.screen import Screen, complete, plain
from chatroom.signing_in import Admin
from tests.chatting import ORIGIN, Instance, memory, running, ticket, until

ROOM = "#lobby"


class Played:
    """An admin that gives tickets of Ada's to this instance."""

    base = ORIGIN

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def ticket(self) -> str:
        return ticket(1, "ada")

    def socket(self) -> str:
        return self.instance.url


def at(instance: Instance) -> tuple[Screen, list[str], Any]:
    shown: list[str] = []
    screen = Screen(shown.append)
    return screen, shown, asyncio.create_task(stay(cast(Admin, Played(instance)), screen))


async def test_what_is_typed_is_said_and_what_is_said_is_shown():
    async with running(memory()) as (here,), here.visit(2, "bob") as bob:
        await bob.join(ROOM)
        screen, shown, staying = at(here)
        await until(lambda: "-- in #lobby with 2 present" in shown)
        await screen.typed("good morning")
        assert await bob.texts(ROOM, 1) == ["good morning"]
        await bob.say(ROOM, "look \x1b[2J out")
        await until(lambda: "#lobby bob: look \N{REPLACEMENT CHARACTER}[2J out" in shown)
        await screen.typed("/who")
        assert shown[-1] == "-- ada, bob"
        await screen.typed("/join other")
        await until(lambda: "-- in #other with 1 present" in shown)
        await screen.typed("/quit")
        await asyncio.wait_for(staying, 10)


async def test_a_client_that_is_cut_off_comes_back_and_misses_nothing(monkeypatch):
    monkeypatch.setattr("chatroom.client.FIRST", 0.2)
    async with running(memory()) as (here,), here.visit(2, "bob") as bob:
        await bob.join(ROOM)
        screen, shown, staying = at(here)
        await until(lambda: "-- in #lobby with 2 present" in shown)
        assert screen._socket is not None
        screen._socket.transport.abort()
        await bob.say(ROOM, "missed")
        await until(lambda: "#lobby bob: missed" in shown)
        await bob.say(ROOM, "heard")
        await until(lambda: "#lobby bob: heard" in shown)
        assert len([line for line in shown if line == "#lobby bob: missed"]) == 1
        screen.ended = True
        staying.cancel()


def test_what_a_terminal_would_obey_is_not_shown():
    assert plain("a\x1b]0;b\x07c\u202ed\ne") == "a�]0;b�c�d\ne"


def test_commands_are_completed():
    usages = ["/join ROOM", "/job N"]
    assert [complete("/jo", n, usages) for n in range(3)] == ["/join ", "/job ", None]
