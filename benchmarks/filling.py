"""Waiting tasks put in by plain SQL, many times faster than submit does it. MariaDB only."""

from django.db import connection

from hashworld.nodes import clock
from hashworld.nodes.models import LANDS
from hashworld.tasks.models import Job, Lane, Priority, ahead

TASKS_PER_HOST = 10
CONNECTIONS = 8
CHUNK = 100_000

_HOSTS = f"""
INSERT INTO tasks_host (id, name, land, max_connections, min_interval, paused, pause_reason,
                        `out`, ahead, next_at)
SELECT seq, CONCAT('host-', seq, '.example'), seq % {LANDS}, {CONNECTIONS}, 0, 0, '',
       0, {ahead(CONNECTIONS, 0)}, UTC_TIMESTAMP(6) - INTERVAL 1 HOUR
FROM seq_{{first}}_to_{{last}}
"""
_QUEUES = f"""
INSERT INTO tasks_hostqueue (host_id, lane, arrivals, due_at, ready_at)
SELECT seq, {Priority.NORMAL.value}, 0, UTC_TIMESTAMP(6) - INTERVAL 1 HOUR,
       UTC_TIMESTAMP(6) - INTERVAL 1 HOUR + INTERVAL seq MICROSECOND
FROM seq_{{first}}_to_{{last}}
"""
# The tasks of a host lie apart, as those of a crawl do.
_TASKS = f"""
INSERT INTO tasks_task (job_id, host_id, url, url_hash, lane, due_at,
                        state, attempts, failures, losses, error)
SELECT {{job}}, 1 + seq % {{hosts}}, CONCAT('https://host-', 1 + seq % {{hosts}}, '.example/', seq),
       CAST(CONV(LEFT(SHA2(seq, 256), 15), 16, 10) AS SIGNED), {Priority.NORMAL.value},
       UTC_TIMESTAMP(6) - INTERVAL 1 HOUR + INTERVAL seq MICROSECOND, 0, 0, 0, 0, ''
FROM seq_{{first}}_to_{{last}}
"""


def fill(tasks: int) -> None:
    """A job of so many tasks, on a tenth as many hosts."""
    now = clock.now()
    job = Job.objects.create(waiting=tasks, created_at=now, touched_at=now, sealed_at=now)
    Lane.objects.get_or_create(id=Priority.NORMAL.value)
    hosts = max(1, tasks // TASKS_PER_HOST)
    for template, count in ((_HOSTS, hosts), (_QUEUES, hosts), (_TASKS, tasks)):
        for first in range(1, count + 1, CHUNK):
            last = min(count, first + CHUNK - 1)
            with connection.cursor() as cursor:
                cursor.execute(template.format(first=first, last=last, job=job.pk, hosts=hosts))
