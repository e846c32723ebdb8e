"""Request and reply: who waits for whom, until when. Times are monotonic seconds.

The asker's instance keeps the session until it is answered, its time is over, or one of the two
is gone, whichever is first; what comes later is counted and dropped. The other instance keeps who
is being asked, so that it can tell at once that it is gone.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from chatroom.core.errors import Code, Refused

#: Called once: with the answer, or with why there is none.
Settle = Callable[[bytes | Refused], None]


@dataclass(frozen=True, slots=True)
class Session:
    """One request that waits for its reply."""

    id: str
    asker: str
    peer: str
    settle: Settle


class Sessions:
    """The sessions that clients of this instance have opened."""

    def __init__(self, most: int) -> None:
        self.late = 0
        self._most = most
        self._open: dict[str, Session] = {}
        self._deadlines: list[tuple[float, str]] = []
        self._of: Counter[str] = Counter()

    def open(self, session: Session, deadline: float) -> None:
        """Raises Refused if the asker waits for too many already."""
        if self._of[session.asker] >= self._most:
            raise Refused(Code.TOO_MANY, f"You wait for {self._most} answers already")
        self._of[session.asker] += 1
        self._open[session.id] = session
        heapq.heappush(self._deadlines, (deadline, session.id))

    def reply(self, id: str, sender: str, body: bytes) -> bool:
        """The answer of the one who was asked; whether anybody still waited for it."""
        session = self._open.get(id)
        if session is None or session.peer != sender:
            self.late += 1
            return False
        self._close(session, body)
        return True

    def fail(self, id: str, why: Refused) -> None:
        """End a session without an answer, if it is open."""
        if session := self._open.get(id):
            self._close(session, why)

    def gone(self, client: str) -> None:
        """End what a client that is gone had asked, or was asked."""
        for session in [s for s in self._open.values() if client in (s.asker, s.peer)]:
            self._close(session, Refused(Code.GONE, "The other side is gone"))

    def gone_instance(self, instance: str) -> None:
        """End what clients of an instance were asked that is no longer there."""
        for session in [s for s in self._open.values() if home(s.peer) == instance]:
            self._close(session, Refused(Code.GONE, "The other side is gone"))

    def expire(self, now: float) -> None:
        """End those whose time is over."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, id = heapq.heappop(self._deadlines)
            self.fail(id, Refused(Code.TIMEOUT, "There was no answer in time"))
        if not self._open:
            self._deadlines.clear()

    def instances(self) -> set[str]:
        """Where those are that were asked."""
        return {home(session.peer) for session in self._open.values()}

    def __len__(self) -> int:
        return len(self._open)

    def _close(self, session: Session, outcome: bytes | Refused) -> None:
        del self._open[session.id]
        self._of[session.asker] -= 1
        if not self._of[session.asker]:
            del self._of[session.asker]
        session.settle(outcome)


class Questions:
    """What clients of this instance are being asked: session, who, and who asks."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[str, str]] = {}

    def put(self, session: str, peer: str, asker: str) -> None:
        """A question was handed to a client."""
        self._asked[session] = (peer, asker)

    def answered(self, session: str, peer: str) -> str | None:
        """Who asked it, if this client was asked and has not answered yet."""
        found = self._asked.get(session)
        if found is None or found[0] != peer:
            return None
        del self._asked[session]
        return found[1]

    def dropped(self, session: str) -> None:
        """Nobody waits for the answer any more."""
        self._asked.pop(session, None)

    def gone(self, client: str) -> list[tuple[str, str]]:
        """What a client that is gone was asked: session and asker; they are forgotten here."""
        mine = [(id, asker) for id, (peer, asker) in self._asked.items() if peer == client]
        for id, _ in mine:
            del self._asked[id]
        return mine

    def __len__(self) -> int:
        return len(self._asked)


def home(client: str) -> str:
    """The instance of a client, which its id begins with."""
    return client.partition(".")[0]
