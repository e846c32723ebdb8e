"""Rows as SQL text for MySQL.

The driver's executemany quotes value by value, which takes as long as the database does. Most
columns of a set hold one value, numbers or plain text, and these are quoted column by column here.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db import connection

#: Characters of one INSERT: far below max_allowed_packet, whose default is 16 MiB or more.
STATEMENT = 512 * 1024
#: What cannot stand between quotes as it is (MySQL's manual, "String Literals").
_TO_ESCAPE = re.compile(r"[\0\\']")


def tuples(rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Rows as what follows VALUES, in parts of some hundred kilobytes."""
    literal = connection.connection.literal
    columns = [_column(literal, column) for column in zip(*rows, strict=True)]
    part: list[str] = []
    size = 0
    for values in zip(*columns, strict=True):
        part.append("(" + ",".join(values) + ")")
        size += len(part[-1])
        if size > STATEMENT:
            yield ",".join(part)
            part, size = [], 0
    if part:
        yield ",".join(part)


def _column(literal: Callable[[Any], bytes], column: Sequence[Any]) -> list[str]:
    kinds = set(map(type, column))
    if kinds == {int}:
        return list(map(str, column))
    if kinds == {str} and not _TO_ESCAPE.search("".join(column)):
        return [f"'{value}'" for value in column]
    if kinds <= {float, type(None)}:
        return ["NULL" if value is None else repr(value) for value in column]
    distinct = set(column)
    if len(distinct) < len(column) / 8:
        known = {value: literal(value).decode() for value in distinct}
        return [known[value] for value in column]
    return [literal(value).decode() for value in column]
