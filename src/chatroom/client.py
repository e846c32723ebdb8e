"""`python -m chatroom.client URL`: the chatroom at a terminal, with the same commands.

URL is the admin's, such as http://127.0.0.1:8000. What is typed is said in the current room;
beside the chatroom's commands there are /join ROOM, /leave, /who, /rooms and /quit. The password
is asked for, or read from the file in CHATROOM_PASSWORD_FILE.
"""

import argparse
import asyncio
import contextlib
import getpass
import os
import random
import sys
import urllib.error
from collections.abc import AsyncIterator
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Origin

from chatroom.screen import Screen, complete
from chatroom.signing_in import Admin, SignInFailed

#: Seconds before coming back after the first lost connection, and at most.
FIRST, LONGEST = 1.0, 30.0


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
