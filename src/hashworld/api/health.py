"""Whether this process lives, and whether it can serve."""

from functools import cache

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@require_safe
@never_cache
def alive(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers at all; it asks nobody else."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and has the tables of this version, else 503 with why.

    The broker is not asked: jobs are taken in, and looked at, without it.
    """
    try:
        missing = _missing()
    except DatabaseError as error:
        reason = f"the database does not answer ({type(error).__name__})"
        return _not_ready(reason)
    if missing:
        return _not_ready(f"the database lacks {missing} migrations: run manage.py migrate")
    return JsonResponse({"status": "ready"})


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """App and name of each migration of this version; read once, for files may be replaced."""
    return frozenset(MigrationLoader(None).graph.nodes)


def _missing() -> int:
    return len(known_migrations() - MigrationRecorder(connection).applied_migrations().keys())


def _not_ready(reason: str) -> JsonResponse:
    headers = {"Retry-After": "5"}
    return JsonResponse({"status": "not ready", "reason": reason}, status=503, headers=headers)
