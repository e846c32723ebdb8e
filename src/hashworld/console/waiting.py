"""Why a waiting task is not being fetched yet."""

from datetime import datetime

from hashworld.console.wording import relative
from hashworld.nodes.models import Land, Node
from hashworld.tasks.models import SUSPECT, Host, Task


def why(task: Task, host: Host, now: datetime) -> str:
    """One sentence with the first thing that holds it back."""
    if host.paused:
        reason = f": {host.pause_reason}" if host.pause_reason else ""
        return f"Its host is paused{reason}."
    if task.due_at and task.due_at > now:
        return f"It failed and is tried again {relative(task.due_at, now)}."
    if not Node.objects.alive(now).exists():
        return "No node is alive to fetch it."
    if host.out >= host.ahead:
        return f"Its host has {host.out} tasks out, as many as its limits allow."
    if host.next_at > now:
        return f"Its host may be asked again {relative(host.next_at, now)}."
    if task.lane == SUSPECT:
        return "A node was lost under it, so it is given out with care, behind the others."
    holder = host.holder or _owner(host)
    return f"It waits for room on {holder}." if holder else "No node owns its host's land yet."


def _owner(host: Host) -> Node | None:
    land = Land.objects.filter(pk=host.land).select_related("node").first()
    return land.node if land else None
