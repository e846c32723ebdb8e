"""The REST door: thin routes onto the verbs, under /api/v1/."""

from hashworld import __version__
from hashworld.api import problems
from hashworld.api.door import Door, nobody
from hashworld.api.rest import cluster, jobs, operations, schedules, tasks, tokens, webhooks

door = Door(
    title="HashWorld",
    version=__version__,
    description="Everything that people can do in the admin, with the same rights and words.",
    auth=nobody,
    urls_namespace="api",
)
for part in (jobs, tasks, operations, cluster, schedules, tokens, webhooks):
    door.add_router("", part.router)
problems.handle(door)
