"""Which process is the master: one row, compare-and-set, and a term that rises (contract C7).

Any number of candidates may run. One guarded UPDATE decides between them; the holder trusts what
it won for a part of the time that the row gives it, counted from before it asked. What it writes
as the master goes through `guard`, so that a master of yesterday can write nothing.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, models, transaction

from hashworld.nodes import clock
from hashworld.nodes.models import Leadership

log = structlog.get_logger(__name__)

ROW = 1
#: The part of its time for which a holder trusts that it leads.
TRUST = 0.8
#: The parts of that time after which the holder renews, and a standby looks again (give or take
#: a half): together with the time itself a new master stands within 20 s of 15.
RENEW, LOOK = 1 / 3, 1 / 15


class TermOver(Exception):
    """The term under which something was to be written leads no more."""


@dataclass(frozen=True, slots=True)
class _Standing:
    term: int
    trusted_until: float


class Candidate:
    """One process that would lead; `holder` must be this process's alone, "name/incarnation"."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        # Replaced as a whole: one thread competes while others ask.
        self._standing: _Standing | None = None
        # The term of a take whose answer never came: it may have been written.
        self._claimed: int | None = None

    @property
    def term(self) -> int | None:
        """The term under which this process leads; None when it does not."""
        standing = self._standing
        return standing.term if standing and monotonic() < standing.trusted_until else None

    def leads(self) -> bool:
        """Whether this process may believe that it leads; asks nobody."""
        return self.term is not None

    def knows(self, term: int) -> None:
        """Let the next `run_once` renew a term that this holder took in another process."""
        self._claimed = term

    def pause(self) -> float:
        """Seconds to wait before the next `run_once`; those of standbys are spread out."""
        if self.leads():
            return length() * RENEW
        return length() * LOOK * random.uniform(0.5, 1.5)  # noqa: S311 - spreads them

    def run_once(self) -> bool:
        """Renew, or take what nobody holds; whether this process leads now.

        While the database is away it goes on to lead until its trust ends.
        """
        try:
            self._compete()
        except DatabaseError as error:
            log.warning(
                "the leadership could be neither renewed nor taken",
                holder=self.holder,
                error=str(error),
            )
            connection.close()
        return self.leads()

    def resign(self) -> None:
        """Lead no more, and let another lead at once; does nothing when not leading."""
        term, self._standing, self._claimed = self._known_term(), None, None
        if term is None:
            return
        try:
            self._row(term).update(expires_at=clock.now())
        except DatabaseError as error:
            log.warning("leadership not resigned; it expires", error=str(error))
            connection.close()

    def _compete(self) -> None:
        sent = monotonic()
        now = clock.now()
        term = self._known_term()
        if term is None or not self._renew(term, now):
            if self._standing:
                log.warning("leadership lost", holder=self.holder, term=term)
                self._standing = None
            term = self._take(now)
        if term is not None:
            self._standing = _Standing(term, sent + TRUST * length())

    def _known_term(self) -> int | None:
        return self._standing.term if self._standing else self._claimed

    def _renew(self, term: int, now: datetime) -> bool:
        mine = self._row(term).filter(expires_at__gt=now)
        return bool(mine.update(expires_at=_until(now), renewed_at=now))

    def _take(self, now: datetime) -> int | None:
        """The term taken, or None. What is read here only spares a write; the UPDATE decides."""
        self._claimed = None
        row = Leadership.objects.filter(pk=ROW).first() or _make(now)
        if row.expires_at > now:
            return None
        self._claimed = row.term + 1
        free = Leadership.objects.filter(pk=ROW, term=row.term, expires_at__lte=now)
        taken = free.update(
            holder=self.holder,
            term=self._claimed,
            since=now,
            renewed_at=now,
            expires_at=_until(now),
        )
        term, self._claimed = self._claimed, None
        return term if taken else None

    def _row(self, term: int) -> "models.QuerySet[Leadership]":
        return Leadership.objects.filter(pk=ROW, holder=self.holder, term=term)


def guard(term: int | None) -> None:
    """Let a transaction go on only under the term that leads; nobody else leads until it ends.

    Raises TermOver, and TransactionManagementError outside a transaction.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("the term is guarded inside a transaction")
    row = Leadership.objects.select_for_update().filter(pk=ROW).first()
    # The time is asked for under the lock: waiting for it may have taken long.
    if row is None or row.term != term or row.expires_at <= clock.now():
        raise TermOver(f"term {term} leads no more: now it is {row or 'nobody'}")


def master(now: datetime) -> Leadership | None:
    """Who leads at this moment of the database's clock, for showing."""
    return Leadership.objects.filter(pk=ROW, expires_at__gt=now).first()


def length() -> float:
    """Seconds for which a leadership holds unless it is renewed."""
    return float(settings.ENV.lease_seconds)


def _until(now: datetime) -> datetime:
    return now + timedelta(seconds=length())


def _make(now: datetime) -> Leadership:
    """The row of a cluster that nobody has led yet; whoever comes second finds the first's."""
    row = Leadership(id=ROW, term=0, since=now, renewed_at=now, expires_at=now)
    Leadership.objects.bulk_create([row], ignore_conflicts=True)
    return Leadership.objects.get(pk=ROW)
