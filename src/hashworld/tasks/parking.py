"""Where the waiting tasks of a paused job are: without a lane, so that dispatch does not see them.

A pause holds from its commit on, for a lease is refused at the job's own row. What this module
does is to spare dispatch from finding the same tasks again and again: it takes them out of the
index of what is due in chunks, and puts them back when the job is resumed.
"""

from collections.abc import Collection, Iterable, Sequence

from hashworld.tasks import frontier, rows
from hashworld.tasks.accounts import Moved
from hashworld.tasks.lanes import SUSPECT, lane_of
from hashworld.tasks.models import Job, Task, Wanted
from hashworld.tasks.states import State
from hashworld.transaction import Overtaken, retried

CHUNK = 1000
#: The condition in SQL on a job's row that its tasks may be given out.
NOT_HELD = f"paused = 0 AND wanted NOT IN ('{Wanted.KILL.value}', '{Wanted.DELETE.value}')"
#: The condition that they may not.
HELD = f"NOT ({NOT_HELD})"
_WAITING = f"state = {int(State.WAITING)}"


def lanes(moved: Sequence[Moved], lane: int | None) -> dict[int, int | None]:
    """The lane of each task: this, or its job's or, after a loss, that of suspects.

    None while its job is paused.
    """
    columns = ("id", "priority", "owner_id", "paused")
    jobs = rows.select(columns, Job, "id", {task.job_id for task in moved})
    own = {id_: None if paused else lane_of(*whose) for id_, *whose, paused in jobs}
    if lane is not None:
        return {task.id: None if own[task.job_id] is None else lane for task in moved}
    return {
        task.id: SUSPECT if task.losses and own[task.job_id] is not None else own[task.job_id]
        for task in moved
    }


def held(job_ids: Collection[int]) -> set[int]:
    """Those of the jobs of which nothing may be given out: paused, or about to end."""
    if not job_ids:
        return set()
    where, values = rows.within("id", job_ids)
    going = rows.find(("id",), Job, f"{where} AND {NOT_HELD}", values)
    return set(job_ids).difference(id_ for (id_,) in going)


@retried
def park(task_ids: Iterable[int]) -> int:
    """Take waiting tasks out of dispatch's sight; their number."""
    found = _waiting(task_ids, "lane IS NOT NULL")
    rows.update(Task, [id_ for id_, _, _ in found], [rows.put("lane", None)])
    frontier.refresh(host_id for _, host_id, _ in found)
    return len(found)


@retried
def unpark(task_ids: Iterable[int], lane: int) -> int:
    """Put waiting tasks of a job with this lane back where dispatch sees them; their number."""
    found = _waiting(task_ids, "lane IS NULL")
    lanes = {id_: SUSPECT if losses else lane for id_, _, losses in found}
    frontier.open_lanes((host_id, lanes[id_]) for id_, host_id, _ in found)
    if found:
        rows.update(Task, lanes, [rows.case("lane", lanes)])
    frontier.refresh(host_id for _, host_id, _ in found)
    return len(found)


@retried
def step(job_id: int) -> None:
    """Bring the next waiting tasks of a job, in the order of their ids, to where they belong.

    Raises Overtaken when the job was paused or resumed meanwhile, or another was quicker.
    """
    job = Job.objects.only("paused", "parked_to", "priority", "owner_id").filter(pk=job_id).first()
    if job is None or job.parked_to is None:
        return
    left = Task.objects.filter(ended=None, job_id=job_id, state=State.WAITING)
    after = left.filter(id__gt=job.parked_to).order_by("id").values_list("id", flat=True)
    ids = list(after[:CHUNK])
    if job.paused:
        park(ids)
    else:
        unpark(ids, lane_of(job.priority, job.owner_id))
    unchanged = Job.objects.filter(pk=job_id, paused=job.paused, parked_to=job.parked_to)
    if not unchanged.update(parked_to=ids[-1] if ids else None):
        raise Overtaken(f"the pause of job {job_id} has changed meanwhile")


def _waiting(task_ids: Iterable[int], guard: str) -> Sequence[tuple[int, int, int]]:
    """Lock those of the tasks that wait and satisfy a condition; (id, host id, losses) of each."""
    ids = list(task_ids)
    if not ids:
        return []
    where, values = rows.within("id", ids)
    found: Sequence[tuple[int, int, int]] = rows.lock(
        ("id", "host_id", "losses"), Task, f"{where} AND {_WAITING} AND {guard}", values
    )
    return found
