"""The service Tasks."""

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.conf import settings

from hashworld.api import communicate_pb2 as pb
from hashworld.api.rpc import messages, names
from hashworld.api.rpc.calls import Call
from hashworld.api.rpc.methods import serves
from hashworld.fetcher.errors import InvalidURL
from hashworld.fetcher.url import canonicalise
from hashworld.tasks.models import Attempt, Priority, Task
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import State
from hashworld.verbs import hosts, jobs, tasks
from hashworld.verbs.errors import Forbidden, Invalid, NotFound
from hashworld.verbs.filters import TaskFilter
from hashworld.verbs.paging import MOST

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Ids of one ListTask, and refusals that CreateTasks tells of.
MOST_IDS = 10_000
MOST_REFUSALS = 100
#: GetTask brings pages up to so many bytes; GetTaskResult brings any.
MOST_PAGE = 1024 * 1024


@serves("Tasks.GetTask", tasks.get)
def get_task(call: Call, request: pb.ID) -> pb.Task:
    """One task with its newest page, by its id or by its job's idempotency key."""
    id_, found = _one(call.user, request)
    answer = messages.task(found, id_)
    answer.results.extend(_tries(call.user, found))
    return answer


@serves("Tasks.ListTask", tasks.find)
def list_task(call: Call, request: pb.Query) -> pb.ID:
    """The ids of tasks, newest job first; `next` goes on where there are more."""
    states = tuple(_state(number) for number in request.state)
    wanted = TaskFilter(states=states, job=request.job or None, host=request.host)
    limit = request.limit or MOST_IDS
    if not 1 <= limit <= MOST_IDS:
        raise Invalid("limit", f"must be from 1 to {MOST_IDS:,}")
    found: list[int] = []
    cursor = request.after or None
    while True:
        page = tasks.find(call.user, wanted, cursor, min(MOST, limit - len(found)))
        found += [task.pk for task in page.items]
        cursor = page.next
        if cursor is None or len(found) >= limit or not call.goes_on():
            break
    own = names.own_ids(call.user, found)
    return pb.ID(id=[own.get(number) or str(number) for number in found], next=cursor or "")


@serves("Tasks.CreateTask", jobs.submit)
def create_task(call: Call, request: pb.Task) -> pb.OptResult:
    """Submit one task; a repeat under the same id or key is the task of then."""
    if request.id and request.idempotency_key:
        raise Invalid("idempotency_key", "goes without an id, which is one already")
    target = _target(request.target)
    spec = JobSpec(
        name=request.name or request.id[:200],
        method=request.type or "GET",
        priority=_priority(request.priority),
        idempotency_key=request.idempotency_key or None,
    )
    if request.id:
        names.create(call.user, request.id, target, spec)
        return pb.OptResult(succeed={request.id: True})
    made = jobs.submit(call.user, [target], spec)
    return pb.OptResult(succeed={str(_first(made.job.pk).pk): True})


@serves("Tasks.DelTask", tasks.delete)
def del_task(call: Call, request: pb.ID) -> pb.OptResult:
    """Delete those that have ended."""
    answer = _act(call, request, tasks.delete, "it has not ended; kill it first")
    names.forget(call.user, [id_ for id_, done in answer.succeed.items() if done])
    return answer


@serves("Tasks.KillTask", tasks.kill)
def kill_task(call: Call, request: pb.ID) -> pb.OptResult:
    """End those that have not ended."""
    return _act(call, request, tasks.kill, "it has ended already")


@serves("Tasks.RetryTask", tasks.retry)
def retry_task(call: Call, request: pb.ID) -> pb.OptResult:
    """Let those that have ended wait again."""
    return _act(call, request, tasks.retry, "it has not ended yet")


@serves("Tasks.GetTaskResult", tasks.body)
def get_task_result(call: Call, request: pb.ID) -> pb.TaskResult:
    """The decoded source of the newest success."""
    _, found = _one(call.user, request)
    body = tasks.body(call.user, found.pk)
    return messages.result(_success(call.user, found), body)


@serves("Tasks.Why", tasks.why)
def why(call: Call, request: pb.ID) -> pb.Explanation:
    """What keeps a task from running."""
    id_, found = _one(call.user, request)
    return messages.explanation(id_, tasks.why(call.user, found.pk))


@serves("Tasks.CreateTasks", jobs.submit)
def create_tasks(call: Call, request: Iterator[pb.Submission]) -> pb.Submitted:
    """Submit a job from a stream of targets, of any length, in bounded memory."""
    first = next(request, None)
    if first is None:
        raise Invalid("target", "there is none: the stream is empty")
    targets = (target for part in chain([first], request) for target in part.target)
    done = jobs.submit(call.user, targets, _spec(first.options))
    refusals = [
        pb.Refusal(line=error.line, target=error.value, reason=error.reason)
        for error in done.errors[:MOST_REFUSALS]
    ]
    return pb.Submitted(
        job=done.job.pk,
        accepted=done.accepted,
        refused=done.refused,
        refusals=refusals,
        repeated_key=done.repeated,
    )


@serves("Tasks.GetJob", jobs.get)
def get_job(call: Call, request: pb.JobID) -> pb.Job:
    """A job and its counts."""
    return messages.job(jobs.get(call.user, request.id))


@serves("Tasks.KillJob", jobs.kill)
def kill_job(call: Call, request: pb.JobID) -> pb.Outcome:
    """End all of a job; carried out in the background."""
    left = _left(jobs.kill(call.user, request.id, request.reason))
    return pb.Outcome(ok=True, count=left, text=f"Job {request.id} is being killed.")


@serves("Tasks.RetryJob", jobs.retry)
def retry_job(call: Call, request: pb.JobID) -> pb.Outcome:
    """Let the failed tasks of a job wait again; carried out in the background."""
    failed = jobs.retry(call.user, request.id, "failed", request.reason).runtime_error
    text = f"What failed of job {request.id} is being tried again."
    return pb.Outcome(ok=True, count=failed, text=text)


@serves("Tasks.PauseHost", hosts.pause)
def pause_host(call: Call, request: pb.HostCommand) -> pb.Outcome:
    """Give out nothing more of a host."""
    changed = hosts.pause(call.user, [request.host], request.reason)
    text = "is paused" if changed else "was paused already"
    return pb.Outcome(ok=True, count=changed, text=f"Host {request.host} {text}.")


@serves("Tasks.ResumeHost", hosts.resume)
def resume_host(call: Call, request: pb.HostCommand) -> pb.Outcome:
    """Give out what waits of a host again."""
    changed = hosts.resume(call.user, [request.host], request.reason)
    text = "is fetched again" if changed else "was not paused"
    return pb.Outcome(ok=True, count=changed, text=f"Host {request.host} {text}.")


def _one(user: "User", request: pb.ID) -> tuple[str, Task]:
    """The task that is meant, and its id as the client has it."""
    if request.idempotency_key:
        if request.id:
            raise Invalid("idempotency_key", "goes without ids")
        job = jobs.by_key(user, request.idempotency_key)
        found = _first(job.pk)
        return str(found.pk), tasks.get(user, found.pk)
    if len(request.id) != 1:
        raise Invalid("id", f"must be one, not {len(request.id)}")
    (id_,) = request.id
    number = names.numbers(user, [id_])[id_]
    if number is None:
        raise NotFound(f"There is no task {id_}.")
    return id_, tasks.get(user, number)


def _act(call: Call, request: pb.ID, act: Any, skipped: str) -> pb.OptResult:
    if not request.id:
        raise Invalid("id", "there is none")
    if len(request.id) > tasks.MOST_IDS:
        raise Invalid("id", f"must be at most {tasks.MOST_IDS:,}")
    asked = names.numbers(call.user, request.id)
    chosen = {number for number in asked.values() if number is not None}
    return messages.acted(asked, act(call.user, chosen, request.reason), skipped)


def _tries(user: "User", found: Task) -> Iterator[pb.TaskResult]:
    """Its tries, with the page of the newest success if this person may see pages of its size."""
    history = tasks.attempts(user, found.pk)
    newest = _newest(history)
    for attempt in history:
        body = None
        if attempt is newest and attempt.content and attempt.content.size <= MOST_PAGE:
            try:
                body = tasks.body(user, found.pk)
            except (Forbidden, NotFound):
                body = None
        yield messages.result(attempt, body)


def _success(user: "User", found: Task) -> Attempt:
    newest = _newest(tasks.attempts(user, found.pk))
    if newest is None:
        raise NotFound(f"Task {found.pk} has no page.")
    return newest


def _newest(history: list[Attempt]) -> Attempt | None:
    kept = (attempt for attempt in reversed(history) if attempt.content and not attempt.error)
    return next(kept, None)


def _first(job_id: int) -> Task:
    found = Task.objects.filter(job_id=job_id).order_by("pk").first()
    if found is None:
        raise NotFound(f"Job {job_id} has no tasks (any more).")
    return found


def _spec(options: pb.JobOptions) -> JobSpec:
    return JobSpec(
        name=options.name,
        method=options.method or "GET",
        priority=_priority(options.priority),
        headers=dict(options.headers),
        idempotency_key=options.idempotency_key or None,
        max_attempts=options.max_attempts or JobSpec().max_attempts,
    )


def _priority(name: str) -> int:
    found = {priority.name.lower(): priority.value for priority in Priority}
    if name and name not in found:
        raise Invalid("priority", f"must be one of {', '.join(found)}")
    return found[name or "normal"]


def _target(text: str) -> str:
    try:
        return canonicalise(text, frozenset(settings.ENV.fetch_ports)).url
    except InvalidURL as error:
        raise Invalid("target", error.reason) from error


def _state(number: int) -> State:
    try:
        return State(number)
    except ValueError:
        raise Invalid("state", f"{number} is none of 0 to {max(State)}") from None


def _left(job: Any) -> int:
    return int(job.waiting + job.inqueue + job.running)
