"""The Django app of the command line."""

from django.apps import AppConfig


class CliConfig(AppConfig):
    """Commands that stand for verbs."""

    name = "hashworld.cli"
    label = "cli"
    verbose_name = "Command line"
