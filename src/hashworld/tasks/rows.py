"""Rows written in sets, by plain SQL that MySQL and SQLite both take."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from time import monotonic
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models.constants import OnConflict

from hashworld.tasks import literals

T = TypeVar("T")


#: Rows of one INSERT that returns any: SQLite takes 32,766 parameters.
RETURNED = 500
#: The first chunk of what comes in time is this part of a whole one.
FIRST = 16


def insert(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    ignore: bool = False,
) -> int:
    """Insert `rows`; with `ignore`, those that break a unique constraint are left out.

    The number of rows inserted.
    """
    if not rows:
        return 0
    head = _insert_into(model, columns, ignore=ignore)
    inserted = 0
    with connection.cursor() as cursor:
        if connection.vendor == "mysql" and not any(isinstance(v, bytes) for v in rows[0]):
            for values in literals.tuples(rows):
                cursor.execute(head + values)
                inserted += int(cursor.rowcount)
        else:
            cursor.executemany(f"{head}({_marks(columns)})", rows)
            inserted = int(cursor.rowcount)
    return inserted


def insert_new(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    returning: Sequence[str],
) -> list[Any]:
    """Insert those of `rows` that break no unique constraint; some columns of what is new.

    For databases that can do so: `connection.features.can_return_rows_from_bulk_insert`.
    """
    head, found = _insert_into(model, columns, ignore=True), []
    tail = f" RETURNING {', '.join(map(_quoted, returning))}"
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            for values in literals.tuples(rows):
                cursor.execute(head + values + tail)
                found += cursor.fetchall()
        else:
            marks = f"({_marks(columns)})"
            for chunk in chunks(rows, RETURNED):
                values = ", ".join([marks] * len(chunk))
                cursor.execute(head + values + tail, [value for row in chunk for value in row])
                found += cursor.fetchall()
    return found


def _insert_into(model: type[models.Model], columns: Sequence[str], *, ignore: bool) -> str:
    verb = connection.ops.insert_statement(on_conflict=OnConflict.IGNORE if ignore else None)
    return f"{verb} {model._meta.db_table} ({', '.join(map(_quoted, columns))}) VALUES "


def upsert(
    model: type[models.Model],
    key: Sequence[str],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    add: bool = True,
) -> None:
    """Insert rows of `key` and `columns`, in one statement.

    Where there is a row with this key already (it must be a unique constraint), the values are
    added to its columns, or take their place without `add`.
    """
    if not rows:
        return
    mysql = connection.vendor == "mysql"
    new = "VALUES({})" if mysql else "excluded.{}"
    names = list(map(_quoted, columns))
    sets = [f"{n} = {n} + {new.format(n)}" if add else f"{n} = {new.format(n)}" for n in names]
    then = "ON DUPLICATE KEY UPDATE" if mysql else f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET"
    marks = ", ".join([f"({_marks([*key, *columns])})"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table}"  # noqa: S608
            f" ({', '.join([*map(_quoted, key), *names])}) VALUES {marks} {then} {', '.join(sets)}",
            [value for row in rows for value in row],
        )


def stamp(moment: datetime | None) -> Any:
    """A moment as the database's column takes it."""
    return connection.ops.adapt_datetimefield_value(moment) if moment else None


def moment(value: datetime | str) -> datetime:
    """A moment as plain SQL gives it, in UTC."""
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found.replace(tzinfo=UTC)


#: One assignment of an UPDATE: its SQL and its parameters.
Assignment = tuple[str, list[Any]]


def put(column: str, value: Any) -> Assignment:
    """The same value in every row."""
    return f"{_quoted(column)} = %s", [value]


def more(column: str, amount: int) -> Assignment:
    """So much more, or less, in every row."""
    name = _quoted(column)
    return f"{name} = {name} + {int(amount)}", []


def case(column: str, values: Mapping[int, Any]) -> Assignment:
    """A value for each row, keyed by id."""
    sql, parameters = chosen("id", values)
    return f"{_quoted(column)} = {sql}", parameters


def chosen(key: str, values: Mapping[int, Any]) -> Assignment:
    """An expression with the value for each row, by a column that is one of the keys."""
    alike = len(set(values.values())) == 1
    return _searched(key, sorted(values.items())[:1] if alike else sorted(values.items()))


def _searched(key: str, pairs: Sequence[tuple[int, Any]]) -> Assignment:
    """A binary search: a plain CASE of n branches would cost n steps for each of n rows."""
    if len(pairs) == 1:
        value = pairs[0][1]
        return (str(value), []) if type(value) is int else ("%s", [value])
    middle = len(pairs) // 2
    lower, lower_values = _searched(key, pairs[:middle])
    upper, upper_values = _searched(key, pairs[middle:])
    sql = f"CASE WHEN {key} < {int(pairs[middle][0])} THEN {lower} ELSE {upper} END"
    return sql, lower_values + upper_values


def within(column: str, values: Iterable[Any]) -> Assignment:
    """The condition that a column has one of `values`; whole numbers need no quoting."""
    wanted = list(values)
    if all(type(value) is int for value in wanted):
        return f"{column} IN ({', '.join(map(str, wanted))})", []
    return f"{column} IN ({_marks(wanted)})", wanted


def update(
    model: type[models.Model],
    ids: Iterable[int],
    sets: Sequence[Assignment],
    guard: str = "",
    *,
    key: str = "id",
) -> int:
    """Update the rows with these ids, or another `key`, that satisfy `guard`, a condition in SQL.

    Returns how many did.
    """
    keys = list(ids)
    if not keys:
        return 0
    sql = ", ".join(part for part, _ in sets)
    where, wanted = within(key, keys)
    values = [value for _, parameters in sets for value in parameters]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {model._meta.db_table} SET {sql} WHERE {where}"  # noqa: S608
            + (f" AND {guard}" if guard else ""),
            values + wanted,
        )
        return int(cursor.rowcount)


def added(column: str, amounts: Mapping[int, int]) -> Assignment:
    """An amount of its own more in each row, keyed by id."""
    sql, parameters = chosen("id", amounts)
    return f"{_quoted(column)} = {_quoted(column)} + {sql}", parameters


def add(model: type[models.Model], column: str, amounts: Mapping[int, int]) -> None:
    """Add an amount of its own to a column of each row, keyed by id."""
    if amounts:
        update(model, amounts, [added(column, amounts)])


def select(
    columns: Sequence[str],
    model: type[models.Model],
    key: str,
    values: Iterable[Any],
    *,
    shared: bool = False,
) -> list[Any]:
    """Columns of the rows whose `key` is one of `values`; the ORM's IN costs ten times as much.

    With `shared` nobody can change or delete them until the transaction ends; others may do the
    same at the same time. SQLite has one writer at a time, which is more than that.
    """
    wanted = list(values)
    if not wanted:
        return []
    where, parameters = within(key, wanted)
    suffix = " LOCK IN SHARE MODE" if shared and connection.features.has_select_for_update else ""
    return list(find(list(map(_quoted, columns)), model, where + suffix, parameters))


def lock(
    columns: Sequence[str],
    model: type[models.Model],
    where: str,
    values: Sequence[Any],
    *,
    skip_locked: bool = False,
) -> Any:
    """Select rows in the order of their ids and hold them until the transaction ends.

    With `skip_locked` without those that another holds, where the database knows how.
    """
    features = connection.features
    suffix = " FOR UPDATE" if features.has_select_for_update else ""
    if skip_locked and features.has_select_for_update_skip_locked:
        suffix += " SKIP LOCKED"
    return find(columns, model, f"{where} ORDER BY id{suffix}", values)


def find(
    columns: Sequence[str], model: type[models.Model], where: str, values: Sequence[Any] = ()
) -> Any:
    """Select rows by a condition in SQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(columns)} FROM {model._meta.db_table} WHERE {where}",  # noqa: S608
            values,
        )
        return cursor.fetchall()


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _quoted(name: str) -> str:
    return str(connection.ops.quote_name(name))


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of at most `size`, in order."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def in_time(items: Iterable[T], size: int, seconds: float) -> Iterator[list[T]]:
    """The same, but of no more than came in so many seconds where they come slowly.

    The first ones are smaller, so that whoever waits for them can begin.
    """
    chunk: list[T] = []
    enough = max(1, size // FIRST)
    began = 0.0
    for item in items:
        began = began if chunk else monotonic()
        chunk.append(item)
        if len(chunk) >= enough or monotonic() > began + seconds:
            yield chunk
            chunk, enough = [], min(size, 4 * enough)
    if chunk:
        yield chunk
