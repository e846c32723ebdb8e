"""Rows written in sets, by plain SQL that MySQL and SQLite both take."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models.constants import OnConflict

T = TypeVar("T")


def insert(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    ignore: bool = False,
) -> None:
    """Insert `rows`; with `ignore`, those that break a unique constraint are left out."""
    if not rows:
        return
    verb = connection.ops.insert_statement(on_conflict=OnConflict.IGNORE if ignore else None)
    names = ", ".join(map(connection.ops.quote_name, columns))
    marks = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"{verb} {model._meta.db_table} ({names}) VALUES ({marks})",
            rows,
        )


def stamp(moment: datetime | None) -> Any:
    """A moment as the database's column takes it."""
    return connection.ops.adapt_datetimefield_value(moment) if moment else None


def case(column: str, values: Mapping[int, Any]) -> tuple[str, list[Any]]:
    """SQL and parameters that give `column` its own value in each row, keyed by id."""
    if len(set(values.values())) == 1:
        return f"{column} = %s", [next(iter(values.values()))]
    whens = " ".join(["WHEN %s THEN %s"] * len(values))
    return f"{column} = CASE id {whens} END", [part for pair in values.items() for part in pair]


def marks(values: Sequence[Any]) -> str:
    """The placeholders of an IN list."""
    return ", ".join(["%s"] * len(values))


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of at most `size`, in order."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
