"""The Django application `console`."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The admin site."""

    name = "hashworld.console"
    label = "console"
