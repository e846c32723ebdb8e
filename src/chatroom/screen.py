"""The chatroom as one person at a terminal sees it."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

#: Escape sequences, bells and the like would be obeyed by the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_OWN = ("/join ROOM", "/leave", "/who", "/rooms", "/quit")

Print = Callable[[str], None]


class Screen:
    """What one person at a terminal sees of the chatroom and does in it."""

    def __init__(self, show: Print, room: str = "#lobby") -> None:
        self.room = room
        self.rooms: dict[str, dict[str, Any]] = {room: {}}
        self.commands: list[str] = list(_OWN)
        self.ended = False
        self._show = show
        self._socket: ClientConnection | None = None
        self._epoch = ""
        self._present: dict[str, dict[int, str]] = {}
        self._refs = 0

    async def talk(self, socket: ClientConnection, ticket: str, renew: Callable[[], str]) -> None:
        """One connection, from hello to its end; `renew` gives the next ticket."""
        self._socket = socket
        renewing: asyncio.Task[None] | None = None
        try:
            await self._send("hello", ticket=ticket)
            async for data in socket:
                message = json.loads(data)
                if message["t"] == "welcome":
                    renewing = asyncio.create_task(self._renew(message["seconds"], renew))
                await self.take(message)
        finally:
            self._socket = None
            if renewing:
                renewing.cancel()

    async def take(self, message: dict[str, Any]) -> None:
        """What the server says."""
        room = message.get("room", "")
        match message["t"]:
            case "welcome":
                self._epoch = message["epoch"]
                self.commands = [*_OWN, *(c["usage"] for c in message["commands"])]
                self._tell(f"signed in as {message['person']['name']}")
                for name in dict.fromkeys([*self.rooms, *message["rooms"]]):
                    await self._join(name)
            case "joined":
                self._joined(message)
            case "message" | "removed":
                self._entry(message)
            case "presence":
                present = self._present.setdefault(room, {})
                present.update({p["id"]: p["name"] for p in message["came"]})
                for id in message["went"]:
                    present.pop(id, None)
            case "told":
                self._card(message["card"])
            case "failed":
                self._tell(f"not done: {message['text']}")
            case "invited":
                await self._join(room)
            case "expelled":
                self.rooms.pop(room, None)
                self._tell(f"you are no longer in {room}")
            case "bus":
                await self._bus(message)
            case "bye":
                self._tell("the server restarts")

    async def typed(self, line: str) -> None:
        """What the person typed."""
        word, _, rest = line.strip().partition(" ")
        match word:
            case "":
                return
            case "/quit":
                self.ended = True
                if self._socket:
                    await self._socket.close()
            case "/join" if rest:
                self.room = rest if rest[0] in "#+@" else f"#{rest}"
                self.rooms.setdefault(self.room, {})
                await self._join(self.room)
            case "/leave":
                await self._send("leave", room=self.room)
                self.rooms.pop(self.room, None)
                self.room = next(iter(self.rooms), "#lobby")
                self._tell(f"now in {self.room}")
            case "/who":
                self._tell(", ".join(sorted(self._present.get(self.room, {}).values())))
            case "/rooms":
                self._tell(", ".join(self.rooms))
            case _:
                self._refs += 1
                await self._send("say", room=self.room, text=line, ref=f"c{self._refs}")

    async def _join(self, room: str) -> None:
        kept = self.rooms.setdefault(room, {})
        since = {"since": {"epoch": kept["epoch"], "id": kept["last"]}} if kept else {}
        await self._send("join", room=room, ref="join", **since)

    async def _bus(self, message: dict[str, Any]) -> None:
        if not message["up"]:
            self._tell("the chat's bus is away; nothing can be said until it is back")
        elif message["epoch"] != self._epoch:
            self._epoch = message["epoch"]
            for room in list(self.rooms):
                await self._join(room)
        else:
            self._tell("the chat's bus is back")

    def _joined(self, message: dict[str, Any]) -> None:
        room = message["room"]
        again = bool(self.rooms.get(room))
        if again and not message["recovered"]:
            self._tell(f"{room}: what was missed is not all kept; these are the last messages")
        for entry in message["messages"]:
            self._entry(entry)
        self.rooms[room] = {"epoch": message["epoch"], "last": message["last"]}
        self._present[room] = {p["id"]: p["name"] for p in message["present"]}
        if not again:
            self._tell(f"in {room} with {message['count']} present")

    def _entry(self, entry: dict[str, Any]) -> None:
        kept = self.rooms.get(entry["room"])
        if kept:
            kept["last"] = entry["id"]
        if entry["t"] == "removed":
            self._tell(f"{entry['room']}: {entry['by']} removed a message")
            return
        self._show(plain(f"{entry['room']} {entry['person']['name']}: {entry.get('text', '')}"))
        if card := entry.get("card"):
            self._card(card)

    def _card(self, card: dict[str, Any]) -> None:
        self._show(plain(f"  [{card['title']}]"))
        for line in card.get("lines", ()):
            self._show(plain(f"  {line['label']}: {line['value']}"))

    def _tell(self, text: str) -> None:
        self._show(plain(f"-- {text}"))

    async def _send(self, kind: str, **fields: Any) -> None:
        if self._socket is None:
            self._tell("not connected; say it again later")
            return
        try:
            await self._socket.send(json.dumps({"t": kind, **fields}))
        except ConnectionClosed:
            self._tell("the connection was lost; say it again later")

    async def _renew(self, seconds: float, renew: Callable[[], str]) -> None:
        while True:
            await asyncio.sleep(max(5.0, seconds - 120))
            await self._send("hello", ticket=await asyncio.to_thread(renew))


def plain(text: str) -> str:
    """The text without what a terminal would obey."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def complete(text: str, state: int, commands: list[str]) -> str | None:
    """The readline completion of commands."""
    fitting = [usage.split()[0] for usage in commands if usage.split()[0].startswith(text)]
    return f"{fitting[state]} " if state < len(fitting) else None
