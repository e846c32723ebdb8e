"""What the benchmark of the doors needs in HashWorld's database: a token, and a job that ended."""

from django.contrib.auth.models import User
from django.db import connection, transaction

from hashworld.api import tokens
from hashworld.nodes import clock
from hashworld.tasks.models import Job
from hashworld.tasks.states import State

#: As many columns of an attempt as an export reads, by the task's own number.
_ATTEMPTS = """
INSERT INTO tasks_attempt (task_id, number, lease_id, node_id, started_at, finished_at, status,
    error, detail, final_url, redirects, headers, ip, received, content_type, charset, title)
SELECT id, 1, 1, 1, %s, %s, 200, '', '', url, '', 'Content-Type: text/html', '127.0.0.1', 1000,
    'text/html', 'utf-8', CONCAT('Page ', id)
FROM tasks_task WHERE job_id = %s
"""
_TASKS = """
UPDATE tasks_task SET state = %s, ended = %s, lane = NULL, due_at = NULL, attempts = 1,
    status = 200, finished_at = %s
WHERE job_id = %s
"""


def main(arguments: list[str]) -> None:
    """token: print the secret of a new one. end JOB: let all its tasks have succeeded."""
    if arguments == ["token"]:
        user = User.objects.create_superuser("bench")
        print(tokens.issue(user, "bench", ["read", "submit"])[1])
    else:
        _, job_id = arguments
        _end(int(job_id))


@transaction.atomic
def _end(job_id: int) -> None:
    """By SQL of its own: nobody fetches anything here, only the export is measured."""
    now = clock.now().replace(tzinfo=None)
    succeed = int(State.SUCCEED)
    with connection.cursor() as cursor:
        cursor.execute(_TASKS, [succeed, succeed, now, job_id])
        cursor.execute(_ATTEMPTS, [now, now, job_id])
    job = Job.objects.get(pk=job_id)
    ended = {"waiting": 0, "succeed": job.total, "finished_at": clock.now()}
    Job.objects.filter(pk=job_id).update(**ended)
