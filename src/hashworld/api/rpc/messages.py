"""Our records as the proto's messages."""

import codecs
import json
from datetime import datetime

from hashworld.api import communicate_pb2 as pb
from hashworld.tasks.models import Attempt, Event, Job, Task
from hashworld.tasks.reasons import Reason
from hashworld.verbs.nodes import Seen
from hashworld.verbs.tasks import Acted


def seconds(moment: datetime | None) -> float:
    """A moment as seconds since 1970; 0 for none."""
    return moment.timestamp() if moment else 0.0


def task(found: Task, id_: str = "") -> pb.Task:
    """A task under its number, or under the id that its client gave it."""
    return pb.Task(
        id=id_ or str(found.pk),
        name=found.job.name,
        target=found.url,
        type=found.job.method,
        state=pb.Task.State.Name(found.state),
        job=found.job_id,
        attempts=found.attempts,
        status=found.status or 0,
        error=found.error,
        finished_at=seconds(found.finished_at),
    )


def result(attempt: Attempt, body: bytes | None = None) -> pb.TaskResult:
    """A try, with the page that it fetched where that is asked for.

    A page that is text comes decoded, as `code`; what cannot be decoded comes as it is, as `body`.
    """
    made = pb.TaskResult(
        task=str(attempt.task_id),
        status=attempt.status or 0,
        error=attempt.error,
        content_type=attempt.content_type,
        charset=attempt.charset,
        final_url=attempt.final_url,
        finished_at=seconds(attempt.finished_at),
    )
    if attempt.content:
        made.sha256, made.size = attempt.content.sha256, attempt.content.size
    if body is not None:
        text = source(body, attempt.charset)
        if text is None:
            made.body = body
        else:
            made.code = text
    return made


def source(body: bytes, charset: str) -> str | None:
    """The text of a page without its byte order mark; None where it is no text."""
    name = charset or "utf-8"
    try:
        # "utf-8-sig" and "utf-16" take a mark for what it is, the others for a character.
        text = body.decode("utf-8-sig" if codecs.lookup(name).name == "utf-8" else name)
    except (LookupError, UnicodeDecodeError):
        return None
    return None if "\0" in text else text.removeprefix("\ufeff")


def job(found: Job) -> pb.Job:
    """A job and its counts."""
    return pb.Job(
        id=found.pk,
        name=found.name,
        owner=found.owner.get_username() if found.owner else "",
        total=found.total,
        waiting=found.waiting,
        inqueue=found.inqueue,
        running=found.running,
        runtime_error=found.runtime_error,
        succeed=found.succeed,
        killed=found.killed,
        refused=found.refused,
        paused=found.paused,
        pause_reason=found.pause_reason,
        wanted=found.wanted,
        created_at=seconds(found.created_at),
        finished_at=seconds(found.finished_at),
    )


def event(found: Event) -> pb.Event:
    """An event."""
    return pb.Event(
        id=found.pk,
        kind=found.kind,
        at=seconds(found.at),
        job=found.job_id or 0,
        node=found.node,
        text=found.text,
        data=json.dumps(found.data),
    )


def explanation(task_id: str, reason: Reason) -> pb.Explanation:
    """Why a task does not run."""
    return pb.Explanation(
        task=task_id, cause=reason.cause.value, sentence=reason.sentence, remedy=reason.remedy
    )


def node(seen: Seen, master: str) -> pb.NodeStatus:
    """A node and how it stands; `master` is who leads."""
    found = seen.node
    return pb.NodeStatus(
        name=found.name,
        standing=seen.standing.value,
        host=found.hostname,
        version=found.version,
        max_tasks=found.max_tasks,
        in_flight=found.in_flight,
        cpu_percent=found.cpu_percent,
        memory_mb=found.memory_mb,
        paused=found.paused,
        pause_reason=found.pause_reason,
        started_at=seconds(found.started_at),
        seen_at=seconds(found.seen_at),
        lands=seen.lands,
        master=found.name == master,
    )


def acted(asked: dict[str, int | None], what: Acted, skipped: str) -> pb.OptResult:
    """What became of each id as the client gave it; `skipped` says why nothing was done."""
    answer = pb.OptResult()
    for id_, number in asked.items():
        answer.succeed[id_] = number in what.done
        if number in what.skipped:
            answer.reason[id_] = skipped
        elif number not in what.done:
            answer.reason[id_] = f"there is no task {id_}"
    return answer
