"""A list of URLs as people keep it: one a line, blank lines and # comments between. Pure.

Lines are read one by one, so a list of a million needs no more memory than a short one, and are
numbered as an editor numbers them.
"""

from collections.abc import Iterator
from typing import BinaryIO

from hashworld.tasks.errors import InvalidInput

#: No list of URLs has a longer line, in bytes; a file without line ends would fill the memory.
LONGEST = 64 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read(source: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    """Number and text of every line that is neither blank nor a comment.

    Raises InvalidInput, with `name` as the field, at the first line that is no UTF-8 text.
    """
    number = 0
    while line := source.readline(LONGEST + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        text = decode(line, number, name).strip()
        if text and not text.startswith("#"):
            yield number, text


def check(source: BinaryIO, name: str) -> None:
    """Raise InvalidInput if `read` would, or would find nothing; leaves a file at its start."""
    if not sum(1 for _ in read(source, name)):
        raise InvalidInput(name, "has no URL in it; give one URL a line")
    source.seek(0)


def decode(line: bytes, number: int, name: str) -> str:
    """One line as text; raises InvalidInput."""
    if len(line) > LONGEST:
        raise InvalidInput(name, f"line {number} is longer than {LONGEST:,} bytes; is it a list?")
    if b"\0" in line:
        raise InvalidInput(name, f"line {number} is binary, not text; give one URL a line")
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise InvalidInput(name, f"line {number} is not UTF-8 text") from None
