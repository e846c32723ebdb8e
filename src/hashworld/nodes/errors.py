"""The errors of `hashworld.nodes`.

NodesError
├── InvalidValue   what was asked cannot be done as it was asked; names the field and the reason
├── UnknownNode    there is no node of this name
└── NoAnswer       a node did not answer in time, or answered that it could not
"""


class NodesError(Exception):
    """Base of the errors that a person can do something about."""


class InvalidValue(NodesError):
    """A value cannot be taken; nothing was changed."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class UnknownNode(NodesError):
    """There is no node of this name; the list of nodes has them all."""


class NoAnswer(NodesError):
    """A node did not answer in time, or answered that it could not."""
