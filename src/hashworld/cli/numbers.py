"""Numbers as they are typed: of things, and how many."""

from argparse import ArgumentTypeError

#: The greatest number that a database keeps.
MOST = 2**63 - 1


def number(text: str) -> int:
    """A whole number from 1. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 1 <= int(text) <= MOST):
        raise ArgumentTypeError(f"must be a whole number from 1, not {text[:40]!r}")
    return int(text)
