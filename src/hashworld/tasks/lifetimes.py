"""How long leases live."""

from datetime import timedelta

from django.conf import settings

from hashworld.tasks.holdings import FIRST_SHARE


def lease_time() -> timedelta:
    """How long a renewal is good for."""
    return timedelta(seconds=settings.ENV.lease_seconds)


def first_time() -> timedelta:
    """How long a start is good for: less, for it is no sign of life."""
    return lease_time() * FIRST_SHARE


def start_time() -> timedelta:
    """How soon a lease must be started."""
    return lease_time() / 3
