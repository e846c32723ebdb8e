"""The Django app of the remote door."""

from django.apps import AppConfig


class RpcConfig(AppConfig):
    """The names that clients gave their tasks, and the tokens of nodes."""

    name = "hashworld.api.rpc"
    label = "rpc"
    verbose_name = "Remote calls"
