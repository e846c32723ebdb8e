"""Which leases and tasks a node holds, and how long it may trust them. No I/O; thread-safe.

Trust is counted on the process's monotonic clock from the moment at which a renewal was *sent*
(contract C4), and ends a margin before the lease can expire for anyone else.
"""

from collections.abc import Iterable, Mapping
from threading import Lock

#: Leases are renewed when this share of their time has passed.
RENEWED_AFTER = 0.2
#: The share of the lease time that a lease has when it starts. That may be just before its node
#: falls silent, one renewal after the last beat: it must not outlive that beat by more than others.
FIRST_SHARE = 1 - RENEWED_AFTER
#: Trust ends when this share of the time that was granted has passed.
TRUSTED_SHARE = 0.8


class Holdings:
    """The open leases of one node: for each its tasks' keys in the engine, and its trust."""

    def __init__(self, lease_seconds: float) -> None:
        self._pause = lease_seconds * RENEWED_AFTER
        self._trust = lease_seconds * TRUSTED_SHARE
        self._keys: dict[int, dict[int, int]] = {}
        self._sent: dict[int, float] = {}
        self._trusted_until: dict[int, float] = {}
        self._ending: frozenset[int] = frozenset()
        self._lock = Lock()

    def add(self, lease_id: int, keys: Mapping[int, int], sent: float) -> None:
        """Hold a started lease; `keys` gives each task's key in the engine."""
        with self._lock:
            self._keys[lease_id] = dict(keys)
            self._sent[lease_id] = sent
            self._trusted_until[lease_id] = sent + self._trust * FIRST_SHARE

    def renewed(self, lease_ids: Iterable[int], sent: float) -> None:
        """Trust these leases anew."""
        with self._lock:
            for lease_id in lease_ids:
                if lease_id in self._trusted_until:
                    self._sent[lease_id] = sent
                    self._trusted_until[lease_id] = sent + self._trust

    def keys(self, pairs: Iterable[tuple[int, int]]) -> list[int]:
        """The keys of those of the tasks, given as (lease id, task id), that are still held."""
        with self._lock:
            found = (self._keys.get(lease_id, {}).get(task_id) for lease_id, task_id in pairs)
            return [key for key in found if key is not None]

    def done(self, pairs: Iterable[tuple[int, int]]) -> list[int]:
        """Let go of tasks, given as (lease id, task id); their keys. Empty leases go with them."""
        with self._lock:
            keys = []
            for lease_id, task_id in pairs:
                tasks = self._keys.get(lease_id, {})
                if (key := tasks.pop(task_id, None)) is not None:
                    keys.append(key)
                if not tasks:
                    self._forget(lease_id)
            return keys

    def ending(self, lease_ids: Iterable[int]) -> None:
        """Note under which leases ends are being recorded: these may be closed before `done`."""
        with self._lock:
            self._ending = frozenset(lease_ids)

    def missing(self, lease_ids: Iterable[int]) -> list[int]:
        """Of leases that were found closed those that are held, and not closed by ourselves."""
        with self._lock:
            return [id_ for id_ in lease_ids if id_ in self._keys and id_ not in self._ending]

    def drop(self, lease_ids: Iterable[int]) -> list[int]:
        """Let go of whole leases; the keys of their tasks."""
        with self._lock:
            keys = [key for id_ in lease_ids for key in self._keys.get(id_, {}).values()]
            for lease_id in list(lease_ids):
                self._forget(lease_id)
            return keys

    def leases(self) -> list[int]:
        """The ids of the held leases."""
        with self._lock:
            return sorted(self._keys)

    def due(self, now: float) -> bool:
        """Whether any lease is to be renewed: one that came late, in a node that stood still, is
        older than others."""
        with self._lock:
            return any(sent + self._pause <= now for sent in self._sent.values())

    def distrusted(self, now: float) -> list[int]:
        """The held leases that another node may have by now."""
        with self._lock:
            return [id_ for id_, until in self._trusted_until.items() if until <= now]

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._keys.values()))

    def _forget(self, lease_id: int) -> None:
        self._keys.pop(lease_id, None)
        self._sent.pop(lease_id, None)
        self._trusted_until.pop(lease_id, None)
