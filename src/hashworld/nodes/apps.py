"""The Django application `nodes`."""

from importlib import import_module

from django.apps import AppConfig


class NodesConfig(AppConfig):
    """Who is alive: nodes, the lands they own."""

    name = "hashworld.nodes"
    label = "nodes"
    verbose_name = "Cluster"

    def ready(self) -> None:
        """Register what holds for the whole project: system checks, and watching connections."""
        import_module("hashworld.checks")
        import_module("hashworld.sockets")
