"""The Django application `tasks`."""

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """What to fetch: jobs, tasks, hosts, leases, attempts and contents."""

    name = "hashworld.tasks"
    label = "tasks"
    verbose_name = "Work"
