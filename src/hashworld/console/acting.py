"""Who is signed in, and verbs in their name."""

from collections.abc import Callable
from typing import TypeVar, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from hashworld.verbs.errors import Forbidden, VerbError

T = TypeVar("T")


def person(request: HttpRequest) -> User:
    """Who is signed in."""
    return cast(User, request.user)


def perform(request: HttpRequest, verb: Callable[[], T]) -> T | None:
    """Run a verb; None when it was refused, which is told. Raises PermissionDenied."""
    try:
        return verb()
    except Forbidden as error:
        raise PermissionDenied(str(error)) from error
    except VerbError as error:
        messages.error(request, f"Not done: {str(error).rstrip('.')}.")
        return None
