"""Every change of a task's state and lease, written down by the database itself, whoever made it.

Triggers do it, so no code of HashWorld has a part in it; what is rolled back leaves no trace.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_CLOCK = {
    "mysql": "UTC_TIMESTAMP(6)",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')",
}
_KEY = {
    "mysql": "BIGINT AUTO_INCREMENT PRIMARY KEY",
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
}
_INSERT = "INSERT INTO chaos_change (at, task, old, new, old_lease, new_lease)"
#: An INSERT of a SELECT would lock MariaDB's table until the statement ends, and who meets another
#: there is told that a number could not be read, where HashWorld alone would have tried again.
_CODE = {
    "mysql": f"BEGIN IF {{when}} THEN {_INSERT} VALUES ({{values}}); END IF; END",
    "sqlite": f"BEGIN {_INSERT} SELECT {{values}} WHERE {{when}}; END",
}
_CHANGED = """
NOT (OLD.state = NEW.state AND OLD.losses = NEW.losses
     AND COALESCE(OLD.lease_id, 0) = COALESCE(NEW.lease_id, 0))
"""
#: For each kind of statement: old state, new state, old lease, new lease, and when to write.
_TRIGGERS = {
    "INSERT": ("NEW.id", "NULL", "NEW.state", "NULL", "NEW.lease_id", "1 = 1"),
    "UPDATE": ("NEW.id", "OLD.state", "NEW.state", "OLD.lease_id", "NEW.lease_id", _CHANGED),
    "DELETE": ("OLD.id", "OLD.state", "NULL", "OLD.lease_id", "NULL", "1 = 1"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one task; a state of None is before its birth or after its deletion."""

    task: int
    old: int | None
    new: int | None
    old_lease: int | None
    new_lease: int | None
    at: datetime


def install() -> None:
    """Make the table and the triggers, in place of earlier ones."""
    vendor = connection.vendor
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS chaos_change")
        cursor.execute(
            f"CREATE TABLE chaos_change (id {_KEY[vendor]}, at VARCHAR(32), task BIGINT,"
            " old INT, new INT, old_lease BIGINT, new_lease BIGINT)"
        )
        for statement, (task, old, new, old_lease, new_lease, when) in _TRIGGERS.items():
            name = f"chaos_{statement.lower()}"
            values = f"{_CLOCK[vendor]}, {task}, {old}, {new}, {old_lease}, {new_lease}"
            code = _CODE[vendor].format(values=values, when=when)
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            cursor.execute(
                f"CREATE TRIGGER {name} AFTER {statement} ON tasks_task FOR EACH ROW {code}"
            )


def remove() -> None:
    """Take away what `install` made."""
    with connection.cursor() as cursor:
        for statement in _TRIGGERS:
            cursor.execute(f"DROP TRIGGER IF EXISTS chaos_{statement.lower()}")
        cursor.execute("DROP TABLE IF EXISTS chaos_change")


def read() -> list[Change]:
    """All changes, those of one task in the order in which they were made."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT task, old, new, old_lease, new_lease, at FROM chaos_change ORDER BY id"
        )
        return [
            Change(task, old, new, old_lease, new_lease, datetime.fromisoformat(f"{at}+00:00"))
            for task, old, new, old_lease, new_lease, at in cursor.fetchall()
        ]
