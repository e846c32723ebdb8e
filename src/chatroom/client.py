"""`python -m chatroom.client URL`: the chatroom at a terminal, with the same commands.

URL is the admin's, such as http://127.0.0.1:8000. What is typed is said in the current room;
beside the chatroom's commands there are /join ROOM, /leave, /who, /rooms and /quit. The password
is asked for, or read from the file in CHATROOM_PASSWORD_FILE.
"""

import argparse
import asyncio
import contextlib
import getpass
import http.cookiejar
import json
import os
import random
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Origin

FIRST, LONGEST = 1.0, 30.0
TIMEOUT = 15.0
#: Escape sequences, bells and the like would be obeyed by the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_OWN = {"/join ROOM": "enter", "/leave": "leave", "/who": "present", "/rooms": "mine", "/quit": ""}

Print = Callable[[str], None]


class SignInFailed(Exception):
    """The admin did not let this person in."""


class Admin:
    """The admin as a signed-in person sees it; every call waits for the network."""

    def __init__(self, base: str, name: str, password: str) -> None:
        self.base = base.rstrip("/")
        self._name = name
        self._password = password
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))

    def ticket(self) -> str:
        """A ticket for the chatroom; signs in where that is needed."""
        try:
            return self._ticket()
        except (SignInFailed, urllib.error.HTTPError):
            self._sign_in()
            return self._ticket()

    def socket(self) -> str:
        """Where the chatroom is, as its page says."""
        page = self._open("/admin/chat/").decode()
        found = re.search(r'data-url="([^"]*)" data-port="(\d*)"', page)
        if not found:
            raise SignInFailed("the admin shows no chatroom: this account is in no group")
        here = urllib.parse.urlsplit(self.base)
        port = f"//{here.hostname}:{found[2]}/ws/"
        place = urllib.parse.urlsplit(urllib.parse.urljoin(self.base, found[1] or port))
        return str(place._replace(scheme="wss" if here.scheme == "https" else "ws").geturl())

    def _ticket(self) -> str:
        if not any(cookie.name == "sessionid" for cookie in self._jar):
            raise SignInFailed("not signed in")
        answer = self._open("/admin/chat/ticket/", {})
        return str(json.loads(answer)["ticket"])

    def _sign_in(self) -> None:
        self._jar.clear()
        self._open("/admin/login/")
        given = {"username": self._name, "password": self._password, "next": "/admin/chat/"}
        page = self._open("/admin/login/", given)
        if not any(cookie.name == "sessionid" for cookie in self._jar):
            raise SignInFailed("wrong name or password" if page else "no answer")

    def _open(self, path: str, fields: dict[str, str] | None = None) -> bytes:
        data = None
        headers = {"Referer": f"{self.base}/admin/"}
        if fields is not None:
            token = next((c.value for c in self._jar if c.name == "csrftoken"), "") or ""
            data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        request = urllib.request.Request(self.base + path, data, headers)  # noqa: S310 - checked
        with self._opener.open(request, timeout=TIMEOUT) as answer:
            return bytes(answer.read())


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


async def stay(admin: Admin, screen: Screen) -> None:
    """Connect, and again whenever the connection is lost, until the person leaves."""
    delay = FIRST
    while not screen.ended:
        try:
            ticket = await asyncio.to_thread(admin.ticket)
            url = await asyncio.to_thread(admin.socket)
            async with connect(url, origin=Origin(admin.base), compression=None) as socket:
                delay = FIRST
                await screen.talk(socket, ticket, admin.ticket)
                reason = socket.close_reason or "disconnected"
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            reason = str(error)
        if not screen.ended:
            wait = delay * random.uniform(0.5, 1)  # noqa: S311 - no secret
            delay = min(2 * delay, LONGEST)
            await screen.take({"t": "failed", "text": f"{reason}; again in {wait:.0f} s"})
            await asyncio.sleep(wait)


async def lines() -> AsyncIterator[str]:
    """What is typed, until the end of the input."""
    while True:
        try:
            yield await asyncio.to_thread(input)
        except EOFError:
            return


async def run(admin: Admin, screen: Screen) -> None:
    """The connection and the keyboard side by side."""
    staying = asyncio.create_task(stay(admin, screen))
    async for line in lines():
        if staying.done():
            break
        await screen.typed(line)
        if screen.ended:
            break
    screen.ended = True
    staying.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await staying


def main() -> int:
    """The exit code: 1 when this person is not let in."""
    parser = argparse.ArgumentParser(prog="python -m chatroom.client", description=__doc__)
    parser.add_argument("url", help="the admin's address")
    parser.add_argument("--user", default=getpass.getuser())
    parser.add_argument("--room", default="#lobby")
    options = parser.parse_args()
    if not options.url.startswith(("http://", "https://")):
        parser.error("the address must begin with http:// or https://")
    path = os.environ.get("CHATROOM_PASSWORD_FILE")
    password = Path(path).read_text().strip() if path else getpass.getpass()
    screen = Screen(lambda text: print(text, flush=True), options.room)
    admin = Admin(options.url, options.user, password)
    with contextlib.suppress(ImportError):  # there is no readline everywhere
        import readline

        readline.set_completer(lambda text, state: complete(text, state, screen.commands))
        readline.set_completer_delims(" ")
        readline.parse_and_bind("tab: complete")
    try:
        admin.ticket()  # whoever is not let in learns it at once
        asyncio.run(run(admin, screen))
    except (SignInFailed, urllib.error.URLError) as error:
        print(f"Not let in: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
