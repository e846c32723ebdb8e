"""Lists of URLs read from a request line by line, however long they are.

Plain text, CSV and NDJSON; as they are, or compressed by gzip or zstd. A line that cannot be
read is an error of its own; a body that cannot be read at all is one clear error.
"""

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, cast

from django.http import HttpRequest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from hashworld.api.problems import TooLarge, Unsupported
from hashworld.tasks import lines
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.taken import LineError
from hashworld.verbs.errors import Invalid

Line = tuple[int, str] | LineError

#: Bytes of a list when it is unpacked; a million URLs are about a tenth of it.
MOST = 1024 * 1024 * 1024
#: Bytes of a job in one JSON document.
MOST_JSON = 16 * 1024 * 1024
BUFFER = 64 * 1024
#: What a zstd frame may ask for, as a power of two of bytes: 8 MiB, as RFC 8878 recommends.
ZSTD_WINDOW = 23
_BROKEN = (OSError, EOFError, zlib.error, zstd.ZstdError)


def read(request: HttpRequest) -> Iterator[Line]:
    """Number and text of every line with a URL, or why a line has none.

    Raises Unsupported for a type or an encoding that is not known, before anything is read; on
    the way Invalid for what cannot be read, and TooLarge.
    """
    kind = media_type(request)
    if kind not in FORMATS:
        raise Unsupported(f"The type {kind!r} is none of {', '.join([JSON, *FORMATS])}.")
    return _guarded(FORMATS[kind](unpacked(request, MOST)))


def document(request: HttpRequest) -> bytes:
    """The whole of a JSON document; raises TooLarge, Unsupported and Invalid."""
    try:
        return unpacked(request, MOST_JSON).read()
    except _BROKEN as error:
        raise _invalid(error) from error


def media_type(request: HttpRequest) -> str:
    """What the body is said to be."""
    return (request.content_type or "").lower()


def unpacked(request: HttpRequest, most: int) -> BinaryIO:
    """The body as it was before it was compressed, of at most so many bytes."""
    source: BinaryIO = io.BufferedReader(_Body(request), BUFFER)
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "gzip":
        source = cast(BinaryIO, gzip.GzipFile(fileobj=source))
    elif encoding == "zstd":
        options = {int(zstd.DecompressionParameter.window_log_max): ZSTD_WINDOW}
        source = cast(BinaryIO, zstd.ZstdFile(source, options=options))
    elif encoding not in ("identity", ""):
        raise Unsupported(f"The encoding {encoding!r} is none of gzip, zstd and identity.")
    return io.BufferedReader(_Bounded(source, most), BUFFER)


class _Body(io.RawIOBase):
    """A request's body as the server hands it over; Django knows no chunked transfer."""

    def __init__(self, request: HttpRequest) -> None:
        chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
        self._source: IO[bytes] = request.META["wsgi.input"] if chunked else request  # type: ignore[assignment]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Bounded(io.RawIOBase):
    """What a source gives, as long as it is not too much."""

    def __init__(self, source: BinaryIO, most: int) -> None:
        self._source, self._most, self._left = source, most, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._source.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge(f"The body is larger than {self._most:,} bytes when it is unpacked.")
        buffer[: len(data)] = data
        return len(data)


def _plain(source: BinaryIO) -> Iterator[Line]:
    return lines.read(source, "body")


def _ndjson(source: BinaryIO) -> Iterator[Line]:
    for number, text in lines.read(source, "body"):
        yield _object(number, text)


def _object(number: int, text: str) -> Line:
    """A text, or the member "url" of an object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return LineError(number, text[:200], "it is no JSON")
    url = value.get("url") if isinstance(value, dict) else value
    if not isinstance(url, str):
        return LineError(number, text[:200], 'give a text, or an object with a text "url"')
    return number, url.strip()


def _csv(source: BinaryIO) -> Iterator[Line]:
    """The column "url", or the first one of a list without a head."""
    rows = csv.reader(_texts(source), strict=True)
    column = 0
    try:
        for place, row in enumerate(rows):
            cells = [cell.strip() for cell in row]
            if place == 0 and "url" in (head := [cell.lower() for cell in cells]):
                column = head.index("url")
            elif any(cells):
                url = cells[column] if column < len(cells) else ""
                yield (rows.line_num, url) if url else LineError(rows.line_num, "", "has no URL")
    except csv.Error as error:
        raise Invalid("body", f"line {rows.line_num} is no CSV: {error}") from error


def _texts(source: BinaryIO) -> Iterator[str]:
    number = 0
    while line := source.readline(lines.LONGEST + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(lines.BYTE_ORDER_MARK)
        yield lines.decode(line, number, "body")


JSON = "application/json"
FORMATS: dict[str, Callable[[BinaryIO], Iterator[Line]]] = {
    "text/plain": _plain,
    "text/csv": _csv,
    "application/x-ndjson": _ndjson,
    "application/jsonl": _ndjson,
}


def _guarded(found: Iterator[Line]) -> Iterator[Line]:
    """What goes wrong in the body on the way, as one error that says so."""
    while True:
        try:
            line = next(found)
        except StopIteration:
            return
        except InvalidInput as error:
            raise Invalid(error.field, error.reason) from error
        except _BROKEN as error:
            raise _invalid(error) from error
        yield line


def _invalid(error: BaseException) -> Invalid:
    return Invalid("body", f"it cannot be read to its end ({str(error) or type(error).__name__})")
