"""The Django application `nodes`."""

from importlib import import_module

from django.apps import AppConfig


class NodesConfig(AppConfig):
    """Who is alive: nodes, the lands they own."""

    name = "hashworld.nodes"
    label = "nodes"
    verbose_name = "Cluster"

    def ready(self) -> None:
        """Register the system checks of the whole project."""
        import_module("hashworld.checks")
