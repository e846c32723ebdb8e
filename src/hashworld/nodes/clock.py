"""The cluster's one clock: the database's.

Deadlines are set and compared by this clock only; a process uses its own monotonic clock for
nothing but ceasing to trust what it holds (contract C4).
"""

from datetime import UTC, datetime

from django.db import connection

_NOW = {
    "mysql": "SELECT UTC_TIMESTAMP(6)",
    "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
}


def now() -> datetime:
    """The database's time, in UTC. Costs one round trip: take it once for a set of work."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW[connection.vendor])
        (value,) = cursor.fetchone()
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC)
