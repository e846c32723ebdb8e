"""Emptying the database between tests."""

from django.db import connections, transaction

#: What migrating has filled, and no test changes.
KEPT = {"auth_permission", "django_content_type", "django_migrations"}


def empty(alias: str = "default") -> None:
    """Delete all rows of the tables that have any, but of KEPT; new ids go on where they were.

    Django's flush truncates every table and fills KEPT anew, which takes ten times as long.
    """
    connection = connections[alias]
    tables = set(connection.introspection.django_table_names(only_existing=True)) - KEPT
    asked = (
        f"SELECT '{table}' FROM (SELECT 1) AS one WHERE EXISTS (SELECT 1 FROM {table})"
        for table in sorted(tables)
    )
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(asked))
        used = [table for (table,) in cursor.fetchall()]
    with transaction.atomic(alias), connection.constraint_checks_disabled():
        with connection.cursor() as cursor:
            for table in used:
                cursor.execute(f"DELETE FROM {table}")
