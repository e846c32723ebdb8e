"""Every decision of a slot, written down by the database: once each, under the term that leads.

A trigger does it, in the transaction of the decision, so no code of HashWorld has a part in it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from django.db import connection

from hashworld.nodes.models import Leadership
from hashworld.recurring.models import Cursor

#: Two moments, the earlier one first.
Span = tuple[datetime, datetime]


class Decision(NamedTuple):
    """That a slot of a periodic task was decided under a term, while another or the same led."""

    task: int
    slot: datetime
    term: int
    leading: int


def install() -> None:
    """Make the table and the triggers, in place of earlier ones; for MariaDB and MySQL."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS chaos_decision")
        cursor.execute(
            "CREATE TABLE chaos_decision (id BIGINT AUTO_INCREMENT PRIMARY KEY,"
            " task BIGINT, slot DATETIME(6), term BIGINT, led BIGINT)"
        )
        for statement in ("INSERT", "UPDATE"):
            cursor.execute(f"DROP TRIGGER IF EXISTS chaos_decide_{statement.lower()}")
            cursor.execute(
                f"CREATE TRIGGER chaos_decide_{statement.lower()} AFTER {statement}"
                f" ON {Cursor._meta.db_table} FOR EACH ROW"
                " INSERT INTO chaos_decision (task, slot, term, led)"
                " SELECT NEW.periodic_task_id, NEW.slot, NEW.term, row_.term"
                f" FROM {Leadership._meta.db_table} AS row_"
                # A decision is not published yet; that it is, is told later.
                " WHERE NOT NEW.published"
            )


def read() -> list[Decision]:
    """All decisions, in the order in which they were made; their slots are in UTC."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT task, slot, term, led FROM chaos_decision ORDER BY id")
        rows = map(Decision._make, cursor.fetchall())
        return [row._replace(slot=row.slot.replace(tzinfo=UTC)) for row in rows]


def wrongs(decisions: Iterable[Decision]) -> list[str]:
    """Slots that were decided twice or out of turn, and decisions of a term that led no more."""
    found: list[str] = []
    last: dict[int, datetime] = {}
    for each in decisions:
        if each.task in last and each.slot <= last[each.task]:
            found.append(f"periodic task {each.task} decided {each.slot} after {last[each.task]}")
        if each.term != each.leading:
            found.append(f"term {each.term} decided {each.slot} while {each.leading} led")
        last[each.task] = max(each.slot, last.get(each.task, each.slot))
    return found


class Gap(NamedTuple):
    """A time without a slot that was decided, less what of it nobody could have led."""

    since: datetime
    until: datetime
    length: timedelta


def gaps(slots: Iterable[datetime], run: Span, headless: Sequence[Span]) -> list[Gap]:
    """The times of a run from slot to slot, from its begin until its end."""
    began, ended = run
    moments = [began, *(slot for slot in slots if began < slot < ended), ended]
    return [
        Gap(since, until, until - since - _common((since, until), headless))
        for since, until in pairwise(moments)
    ]


def missing(found: Iterable[Gap], limit: timedelta) -> list[str]:
    """Times without a slot that are longer than a failover may take.

    A master decides the newest slot that has come, so the ones before it may be missing; but one
    must stand within `limit` whatever happens.
    """
    return [
        f"no slot was decided from {gap.since} to {gap.until}"
        for gap in found
        if gap.length > limit
    ]


def _common(span: Span, others: Iterable[Span]) -> timedelta:
    """How much of a span is covered by others, which have nothing in common among themselves."""
    none = timedelta()
    return sum(
        (max(none, min(span[1], until) - max(span[0], since)) for since, until in others), none
    )
