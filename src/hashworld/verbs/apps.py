"""The Django app of the verbs."""

from django.apps import AppConfig


class VerbsConfig(AppConfig):
    """What a person or a program can do, with the rights that it takes."""

    name = "hashworld.verbs"
    label = "verbs"
    verbose_name = "verbs"
