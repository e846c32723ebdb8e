"""The Django app of the doors."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """REST, gRPC and the tokens for both."""

    name = "hashworld.api"
    label = "api"
    verbose_name = "API"
