"""Every decision of a slot, written down by the database: once each, under the term that leads.

A trigger does it, in the transaction of the decision, so no code of HashWorld has a part in it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from hashworld.nodes.models import Leadership
from hashworld.recurring.models import Cursor


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
    """All decisions, in the order in which they were made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT task, slot, term, led FROM chaos_decision ORDER BY id")
        return list(map(Decision._make, cursor.fetchall()))


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
