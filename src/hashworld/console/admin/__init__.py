"""The admin of every model, one module for each thing that a person looks at."""

from django.contrib import admin

from hashworld.console.admin import (
    attempts,
    contents,
    hosts,
    jobs,
    leases,
    messages,
    nodes,
    oversight,
    people,
    recurring,
    schedules,
    tasks,
    webhooks,
)

admin.site.index_template = "console/dashboard.html"
admin.site.index_title = "Dashboard"

__all__ = (
    "attempts",
    "contents",
    "hosts",
    "jobs",
    "leases",
    "messages",
    "nodes",
    "oversight",
    "people",
    "recurring",
    "schedules",
    "tasks",
    "webhooks",
)
