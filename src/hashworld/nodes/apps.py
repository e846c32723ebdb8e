"""The Django application `nodes`."""

from django.apps import AppConfig


class NodesConfig(AppConfig):
    """Who is alive: nodes, the lands they own."""

    name = "hashworld.nodes"
    label = "nodes"
