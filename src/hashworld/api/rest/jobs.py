"""Jobs over REST."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router, Status
from ninja.errors import ValidationError
from ninja.params import functions
from pydantic import Field
from pydantic import ValidationError as PydanticError

from hashworld.api import bodies, exports, watching
from hashworld.api.door import opened, user
from hashworld.api.schemas.jobs import (
    JobIn,
    JobOptions,
    JobOut,
    JobPage,
    LineErrorOut,
    ProgressOut,
    SubmissionOut,
)
from hashworld.api.schemas.words import Id, Why, Word
from hashworld.tasks.taken import Submission
from hashworld.verbs import jobs, paging
from hashworld.verbs.filters import JobFilter

router = Router(tags=["jobs"])

Job = Id
Cursor = Word | None
Limit = Annotated[int, Field(ge=1, le=paging.MOST)]
Key = Annotated[str, Field(min_length=1, max_length=200)]
_TEXT = {"schema": {"type": "string"}}
#: What a submission may come as; the JSON document's schema is written out, for ninja reads none.
LISTS: dict[str, Any] = {
    bodies.JSON: {"schema": JobIn.model_json_schema()},
    **dict.fromkeys(bodies.FORMATS, _TEXT),
}


@opened(
    router,
    "POST",
    "/jobs",
    jobs.submit,
    errors=(409, 413, 415, 429),
    consumes=LISTS,
    response={201: SubmissionOut, 200: SubmissionOut},
)
def submit_job(
    request: HttpRequest,
    options: Query[JobOptions],
    idempotency_key: Key | None = functions.Header(None),
) -> Status[SubmissionOut]:
    """Hand in a job: one JSON document, or a list (text, CSV, NDJSON; gzip or zstd) of any length.

    A list is read line by line; its options stand in the query. When this answers, the job is
    committed. A repeat with the same `Idempotency-Key` answers the same job with status 200.
    """
    if bodies.media_type(request) == bodies.JSON:
        taken = _document(request)
        body = taken.body.encode() if taken.body else None
        spec = taken.spec(
            headers=taken.headers, limits=taken.limits, body=body, idempotency_key=idempotency_key
        )
        done = jobs.submit(user(request), taken.urls, spec)
    else:
        lines = bodies.read(request)
        done = jobs.submit(user(request), lines, options.spec(idempotency_key=idempotency_key))
    return Status(200 if done.repeated else 201, _told(done))


@opened(router, "GET", "/jobs", jobs.find, response=JobPage)
def list_jobs(
    request: HttpRequest,
    name: Word = "",
    owner: Word = "",
    tag: Word = "",
    since: datetime | None = None,
    unfinished: bool | None = None,
    cursor: Cursor = None,
    limit: Limit = paging.USUAL,
) -> JobPage:
    """The jobs that you may see, the newest first."""
    wanted = JobFilter(name, owner, tag, since, unfinished)
    page = jobs.find(user(request), wanted, cursor, limit)
    return JobPage(items=[JobOut.of(job) for job in page.items], next=page.next)


@opened(router, "GET", "/jobs/{job_id}", jobs.get, response=JobOut)
def get_job(request: HttpRequest, job_id: Job) -> JobOut:
    """One job."""
    return JobOut.of(jobs.get(user(request), job_id))


@opened(
    router,
    "GET",
    "/jobs/{job_id}/results",
    jobs.results,
    produces=[kind.media_type for kind in exports.FORMATS.values()],
)
def get_results(
    request: HttpRequest,
    job_id: Job,
    format: exports.Format = "ndjson",
) -> StreamingHttpResponse:
    """Every task with what its last try told, as a stream: NDJSON, CSV, or WARC with the bodies."""
    return exports.stream(user(request), job_id, format)


@opened(router, "GET", "/jobs/{job_id}/progress", jobs.get, errors=(429,), response=ProgressOut)
def get_progress(
    request: HttpRequest,
    job_id: Job,
    seen: Word = "",
    wait: Annotated[float, Field(ge=0, le=watching.LONGEST)] = 0,
) -> ProgressOut:
    """How far it is; with `wait`, answered when it is no longer as `seen`, or after so long."""
    return watching.poll(user(request), job_id, seen, wait)


@opened(
    router,
    "GET",
    "/jobs/{job_id}/events",
    jobs.get,
    errors=(429,),
    produces=["text/event-stream"],
)
def watch_job(request: HttpRequest, job_id: Job) -> StreamingHttpResponse:
    """Its progress as server-sent events, until it is finished; come back when it ends earlier."""
    return watching.stream(user(request), job_id, request.headers.get("Last-Event-ID", ""))


@opened(router, "POST", "/jobs/{job_id}/kill", jobs.kill, errors=(409,), response={202: JobOut})
def kill_job(request: HttpRequest, job_id: Job, why: Why) -> Status[JobOut]:
    """End all of it that has not ended; it is carried out in the background."""
    return Status(202, JobOut.of(jobs.kill(user(request), job_id, why.reason)))


@opened(router, "POST", "/jobs/{job_id}/retry", jobs.retry, errors=(409,), response={202: JobOut})
def retry_job(
    request: HttpRequest,
    job_id: Job,
    why: Why,
    which: Annotated[str, Field(pattern="^(failed|killed)$")] = "failed",
) -> Status[JobOut]:
    """Let its failed, or its killed, tasks wait again; carried out in the background."""
    return Status(202, JobOut.of(jobs.retry(user(request), job_id, which, why.reason)))


@opened(router, "DELETE", "/jobs/{job_id}", jobs.delete, errors=(409,), response={202: JobOut})
def delete_job(request: HttpRequest, job_id: Job, reason: Word = "") -> Status[JobOut]:
    """Delete a finished job with all it has; carried out in the background."""
    return Status(202, JobOut.of(jobs.delete(user(request), job_id, reason)))


@opened(router, "POST", "/jobs/{job_id}/pause", jobs.pause, errors=(409,), response=JobOut)
def pause_job(request: HttpRequest, job_id: Job, why: Why) -> JobOut:
    """Give out nothing more of it."""
    jobs.pause(user(request), job_id, why.reason)
    return JobOut.of(jobs.get(user(request), job_id))


@opened(router, "POST", "/jobs/{job_id}/resume", jobs.resume, errors=(409,), response=JobOut)
def resume_job(request: HttpRequest, job_id: Job, why: Why) -> JobOut:
    """Give out its tasks again."""
    jobs.resume(user(request), job_id, why.reason)
    return JobOut.of(jobs.get(user(request), job_id))


def _document(request: HttpRequest) -> JobIn:
    try:
        return JobIn.model_validate_json(bodies.document(request))
    except PydanticError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise ValidationError(found) from error


def _told(done: Submission) -> SubmissionOut:
    errors = [LineErrorOut(line=e.line, value=e.value, reason=e.reason) for e in done.errors]
    return SubmissionOut(
        job=JobOut.of(done.job),
        accepted=done.accepted,
        duplicated=done.duplicated,
        refused=done.refused,
        errors=errors,
        repeated=done.repeated,
    )
