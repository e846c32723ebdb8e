"""The Django application `embedded`."""

from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    """What the embedded footing adds: a broker without a server, a supervisor, a demo site."""

    name = "hashworld.embedded"
    label = "embedded"
