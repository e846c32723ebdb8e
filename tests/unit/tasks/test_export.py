"""The names of exported files."""

from types import SimpleNamespace

import pytest

from hashworld.tasks import export


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("text/html; charset=utf-8", "7.html"),
        ("Application/JSON", "7.json"),
        ("application/x-sh", "7.bin"),
        ("../../etc/passwd", "7.bin"),
        ("", "7.bin"),
    ],
)
def test_nothing_in_a_name_comes_from_outside(content_type, name):
    assert export.file_name(SimpleNamespace(task=7, content_type=content_type)) == name
