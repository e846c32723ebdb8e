"""Lists of URLs as people keep them."""

import io

import pytest

from hashworld.tasks import lines
from hashworld.tasks.errors import InvalidInput


def read(data: bytes) -> list[tuple[int, str]]:
    return list(lines.read(io.BytesIO(data), "list.txt"))


def test_lines_keep_the_numbers_an_editor_shows():
    data = b"# my list\nhttp://a/\n\n  http://b/  \r\n#http://c/\nhttp://d/"
    assert read(data) == [(2, "http://a/"), (4, "http://b/"), (6, "http://d/")]


def test_a_byte_order_mark_is_not_part_of_the_first_line():
    assert read(b"\xef\xbb\xbfhttp://a/\n") == [(1, "http://a/")]


def test_addresses_may_be_in_any_language():
    assert read("http://例え/頁\n".encode()) == [(1, "http://例え/頁")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"http://a/\n\x7fELF\0\0", "line 2 is binary"),
        ("http://a/".encode("utf-16"), "line 1 is binary"),
        (b"http://a/\nhttp://caf\xe9/\n", "line 2 is not UTF-8"),
        (b"x" * (lines.LONGEST + 1), "line 1 is longer than 65,536 bytes"),
    ],
)
def test_what_is_no_list_is_told_with_the_line(data, reason):
    with pytest.raises(InvalidInput, match=reason) as caught:
        read(data)
    assert caught.value.field == "list.txt"


def test_lines_are_read_one_by_one():
    source = io.BytesIO(b"http://a/\n" * 1000)
    assert next(lines.read(source, "list.txt")) == (1, "http://a/")
    assert source.tell() == len(b"http://a/\n")


def test_a_checked_list_is_read_from_its_start():
    source = io.BytesIO(b"http://a/\n")
    lines.check(source, "list.txt")
    assert source.tell() == 0


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# nothing but this\n"])
def test_a_list_without_a_url_is_told(data):
    with pytest.raises(InvalidInput, match=r"list\.txt: has no URL in it"):
        lines.check(io.BytesIO(data), "list.txt")
