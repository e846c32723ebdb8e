"""Columns that several tables have."""

from typing import Any

from django.db import models


def reference(to: str | type[models.Model], **options: Any) -> models.ForeignKey[Any, Any]:
    """A relation without a constraint or an index of its own."""
    return models.ForeignKey(
        to, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, **options
    )


def count() -> models.PositiveBigIntegerField[int, int]:
    """A column that is only ever added to."""
    return models.PositiveBigIntegerField(default=0)
