"""The lines of a pasted or uploaded list of URLs, with their numbers, blank ones left out."""

from collections.abc import Iterator
from typing import Protocol

#: No line of a list of URLs comes near this; what does is no such list.
LONGEST = 65_536
_BOM = b"\xef\xbb\xbf"


class NotText(Exception):
    """The file is not a text of lines; the message says where that showed."""


class Readable(Protocol):
    """What an uploaded file can do."""

    def readline(self, limit: int, /) -> bytes:
        """The next line, or as much of it as `limit` bytes."""

    def seek(self, position: int, /) -> object:
        """Go to `position`."""


def pasted(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text field."""
    return _filled(enumerate(text.split("\n"), 1))


def uploaded(file: Readable) -> Iterator[tuple[int, str]]:
    """The lines of a file, read one by one; raises NotText."""
    return _filled(_decoded(file))


def check(file: Readable) -> int:
    """The number of lines, the file being left at its start; raises NotText."""
    count = sum(1 for _ in uploaded(file))
    file.seek(0)
    return count


def _filled(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, text in lines if (line := text.strip()))


def _decoded(file: Readable) -> Iterator[tuple[int, str]]:
    number = 0
    while raw := file.readline(LONGEST):
        number += 1
        if number == 1:
            raw = raw.removeprefix(_BOM)
        if len(raw) >= LONGEST and not raw.endswith(b"\n"):
            raise NotText(f"line {number} is longer than {LONGEST:,} bytes")
        if b"\0" in raw:
            raise NotText(f"line {number} holds a zero byte")
        try:
            yield number, raw.decode()
        except UnicodeDecodeError:
            raise NotText(f"line {number} is not UTF-8") from None
