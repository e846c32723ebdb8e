"""The results of a job as a stream: NDJSON, CSV that no spreadsheet runs, or WARC with bodies."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from django.http import StreamingHttpResponse

from hashworld import download
from hashworld.api import warc
from hashworld.tasks.outcomes import Outcome
from hashworld.verbs import jobs, rights
from hashworld.verbs.rights import VIEW_BODY

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Format = Literal["ndjson", "csv", "warc"]

#: Lines that are handed to the server at once: a chunk for each line would cost more than the line.
LINES = 200
#: What a cell begins with that spreadsheets take for a formula, or that hides one.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = [field.name for field in fields(Outcome)]


@dataclass(frozen=True, slots=True)
class Kind:
    """A format: its type, the ending of its file, and how it is written."""

    media_type: str
    ending: str
    write: Callable[[Iterator[Outcome]], Iterator[bytes]]


def stream(user: "User", job_id: int, name: Format) -> StreamingHttpResponse:
    """The results of a job; its rights are checked before the first byte."""
    kind = FORMATS[name]
    if name == "warc":
        rights.require(user, VIEW_BODY, "see bodies")
    found = jobs.results(user, job_id)
    response = StreamingHttpResponse(
        kind.write(found), content_type=kind.media_type, headers=download.HEADERS
    )
    response["Content-Disposition"] = f'attachment; filename="job-{job_id}.{kind.ending}"'
    return response


def ndjson(found: Iterator[Outcome]) -> Iterator[bytes]:
    """One JSON object a line."""
    for chunk in _chunks(found):
        lines = (json.dumps(outcome.as_dict(), ensure_ascii=False) for outcome in chunk)
        yield ("\n".join(lines) + "\n").encode(errors="surrogatepass")


def table(found: Iterator[Outcome]) -> Iterator[bytes]:
    """CSV with a head; what a spreadsheet would run has an apostrophe before it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for chunk in _chunks(found):
        writer.writerows(
            [cell(getattr(outcome, column)) for column in COLUMNS] for outcome in chunk
        )
        yield _emptied(buffer)
    yield _emptied(buffer)


def cell(value: Any) -> Any:
    """A value as a cell that is read as text, or as the number that it is."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _emptied(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode(errors="surrogatepass")


def _chunks(found: Iterator[Outcome]) -> Iterator[list[Outcome]]:
    chunk: list[Outcome] = []
    for outcome in found:
        chunk.append(outcome)
        if len(chunk) == LINES:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


FORMATS: dict[Format, Kind] = {
    "ndjson": Kind("application/x-ndjson", "ndjson", ndjson),
    "csv": Kind("text/csv", "csv", table),
    "warc": Kind("application/warc", "warc.gz", warc.write),
}
