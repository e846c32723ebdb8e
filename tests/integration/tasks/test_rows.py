"""Rows written by plain SQL come back as they were."""

from collections.abc import Sequence
from typing import Any

import pytest

from hashworld.nodes import clock
from hashworld.tasks import literals, rows
from hashworld.tasks.models import Attempt

pytestmark = pytest.mark.django_db(transaction=True)

ODD = ["it's", "back\\slash", "nul\0", "two\nlines", '"both"', "%s %d", "`left`", "Żółw 🐢", ""]


def written(column: str, values: Sequence[Any]) -> list[Any]:
    now, texts = rows.stamp(clock.now()), "error detail final_url redirects headers ip".split()
    texts += ["content_type", "charset", "title"]
    columns = ["task_id", "number", "lease_id", "node_id", "started_at", "finished_at", "received"]
    plain = [text for text in texts if text != column]
    new = [(n, 1, 1, 1, now, now, 0, *[""] * len(plain), v) for n, v in enumerate(values)]
    assert rows.insert(Attempt, [*columns, *plain, column], new) == len(values)
    return list(Attempt.objects.order_by("task_id").values_list(column, flat=True))


@pytest.mark.parametrize("text", ODD)
def test_an_odd_text_among_plain_ones(text: str) -> None:
    values = ["plain", text, "other"] * 5
    assert written("headers", values) == values


def test_many_different_texts() -> None:
    values = [f"{text}{n}" for n in range(5) for text in ODD]
    assert written("headers", values) == values


def test_numbers_of_which_some_are_missing() -> None:
    values = [None, 0.1, 1e-9, 12345.678, 1e300, None]
    assert written("dns_ms", values) == values


def test_whole_numbers_of_which_some_are_missing() -> None:
    values = [None, 200, 404, None]
    assert written("status", values) == values


def test_more_than_one_statement_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literals, "STATEMENT", 1000)
    values = [f"{number}" * 100 for number in range(30)]
    assert written("headers", values) == values


def test_chunks_begin_small_and_grow() -> None:
    sizes = [len(chunk) for chunk in rows.in_time(range(3000), 1000, 60)]
    assert sizes == [62, 248, 992, 1000, 698]
