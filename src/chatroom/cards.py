"""How the cluster's things look in a room."""

from chatroom.cluster import JobState
from chatroom.core.messages import Card, Line


def job_link(job: int) -> str:
    """A job's page in the admin."""
    return f"/admin/tasks/job/{job}/change/"


def job_card(state: JobState) -> Card:
    """A job as a card; every later one of the same job takes its place."""
    if not state.finished:
        title, tone = "running", "info"
    elif state.failed or state.killed:
        title, tone = ("killed", "warn") if not state.failed else ("finished with failures", "bad")
    else:
        title, tone = "succeeded", "good"
    counts = (("succeeded", state.succeeded), ("failed", state.failed), ("killed", state.killed))
    said = ", ".join(f"{count:,} {word}" for word, count in counts if count)
    done = f"{state.done:,} of {state.total:,} done" + (f": {said}" if said else "")
    lines = [Line("Progress", done)]
    if state.note:
        lines.append(Line("Note", state.note))
    return Card(
        f"Job {state.id} {title}",
        tone,
        tuple(lines),
        job_link(state.id),
        f"job-{state.id}",
        round(100 * state.done / state.total, 1) if state.total else None,
    )
