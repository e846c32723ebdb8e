"""Fetched pages as a WARC 1.1 file, one record after the other, compressed each by itself.

A body is kept without its transfer and content encodings, so the headers that told of them are
given under other names, and the length is that of the body as it is.
"""

import io
from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice

import structlog
from warcio.statusandheaders import StatusAndHeaders
from warcio.timeutils import datetime_to_iso_date
from warcio.warcwriter import WARCWriter

from hashworld import __version__
from hashworld.tasks import content
from hashworld.tasks.errors import ContentDamaged
from hashworld.tasks.models import Attempt, Task
from hashworld.tasks.outcomes import Outcome
from hashworld.tasks.states import State

log = structlog.get_logger(__name__)

#: Tasks whose tries are read at once; their bodies are read one by one.
CHUNK = 200
#: What no longer holds for a body that was unpacked.
CODINGS = frozenset({"content-encoding", "content-length", "transfer-encoding"})


def write(found: Iterator[Outcome]) -> Iterator[bytes]:
    """A record that says who wrote it, and one for each task that was fetched."""
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=True, warc_version="WARC/1.1")
    about = {"software": f"HashWorld/{__version__}", "format": "WARC File Format 1.1"}
    writer.write_record(writer.create_warcinfo_record("hashworld.warc.gz", about))
    yield _emptied(buffer)
    succeeded = (outcome.task for outcome in found if outcome.state == State.SUCCEED.label)
    while ids := list(islice(succeeded, CHUNK)):
        for attempt in _attempts(ids):
            _record(writer, attempt)
            yield _emptied(buffer)


def _attempts(task_ids: list[int]) -> list[Attempt]:
    """The try of each task that brought its body, in the order of the tasks."""
    ends = dict(Task.objects.filter(pk__in=task_ids).values_list("pk", "content_id"))
    history = Attempt.objects.filter(task_id__in=task_ids, error="").exclude(content=None)
    last: dict[int, Attempt] = {}
    for attempt in history.select_related("content", "task").order_by("number"):
        if attempt.content_id == ends.get(attempt.task_id):
            last[attempt.task_id] = attempt
    return [last[task_id] for task_id in task_ids if task_id in last]


def _record(writer: WARCWriter, attempt: Attempt) -> None:
    assert attempt.content is not None  # noqa: S101 - the query leaves out those without
    try:
        body = content.read(attempt.content)
    except ContentDamaged as error:
        log.warning("a body is missing in an export", task=attempt.task_id, reason=str(error))
        return
    moment = datetime_to_iso_date(attempt.finished_at, use_micros=True)
    about = {"WARC-Date": moment}
    if attempt.ip:
        about["WARC-IP-Address"] = attempt.ip
    record = writer.create_warc_record(
        attempt.final_url or attempt.task.url,
        "response",
        payload=io.BytesIO(body),
        length=len(body),
        http_headers=_head(attempt, len(body)),
        warc_headers_dict=about,
    )
    writer.write_record(record)


def _head(attempt: Attempt, size: int) -> StatusAndHeaders:
    """The answer's head, with a length that is true of the body as it is kept."""
    headers = []
    for line in attempt.headers.splitlines():
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            continue
        coding = name.strip().lower() in CODINGS
        headers.append(
            (f"X-Archive-Orig-{name.strip()}" if coding else name.strip(), value.strip())
        )
    headers.append(("Content-Length", str(size)))
    status = attempt.status or 200
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    return StatusAndHeaders(f"{status} {phrase}".strip(), headers, protocol="HTTP/1.1")


def _emptied(buffer: io.BytesIO) -> bytes:
    data = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return data
