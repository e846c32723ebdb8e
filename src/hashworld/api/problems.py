"""Every error of the REST door as a problem document (RFC 9457)."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from hashworld.verbs import errors

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
PREFIX = "/api/"
#: Under which status each error of the verbs goes out.
STATUS: dict[type[Exception], HTTPStatus] = {
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.QuotaExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
#: Seconds after which what was unavailable may be asked for again.
PAUSE = 5


class Unauthorized(Exception):
    """Nobody is known to ask; the text says why."""


class TooLarge(Exception):
    """The body is larger than this address takes."""


class Unsupported(Exception):
    """The body's type or encoding is none that this address takes."""


def problem(status: int, detail: str, **members: Any) -> HttpResponse:
    """A problem document; its title is the status's own, so its type is "about:blank"."""
    found = HTTPStatus(status)
    document = {"type": "about:blank", "title": found.phrase, "status": found.value}
    return JsonResponse(
        {**document, "detail": detail, **members}, status=found, content_type=MEDIA_TYPE
    )


def of_verb(error: errors.VerbError) -> HttpResponse:
    """The document of an error of the verbs."""
    members: dict[str, Any] = {}
    if isinstance(error, errors.Invalid):
        members["errors"] = [{"field": error.field, "reason": error.reason}]
    response = problem(STATUS[type(error)], str(error), **members)
    if isinstance(error, errors.QuotaExceeded):
        response["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Unavailable):
        response["Retry-After"] = str(PAUSE)
    return response


def of_input(error: ValidationError) -> HttpResponse:
    """The document of parameters or a body that do not fit."""
    found = [
        {"field": _field(each["loc"]), "reason": str(each["msg"])[:300]} for each in error.errors
    ]
    detail = "; ".join(f"{each['field']}: {each['reason']}" for each in found[:5])
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=found)


def unauthorized(detail: str) -> HttpResponse:
    """The document for nobody."""
    response = problem(HTTPStatus.UNAUTHORIZED, detail)
    response["WWW-Authenticate"] = 'Bearer realm="hashworld"'
    return response


def handle(api: NinjaAPI) -> None:
    """Let an API answer with problem documents whatever happens."""
    answers: dict[type[Exception], Callable[[Any], HttpResponse]] = {
        errors.VerbError: of_verb,
        ValidationError: of_input,
        Unauthorized: lambda error: unauthorized(str(error)),
        AuthenticationError: lambda error: unauthorized("Send a token, or sign in."),
        Http404: lambda error: problem(404, "There is nothing at this address."),
        HttpError: lambda error: problem(error.status_code, str(error)),
        TooLarge: lambda error: problem(413, str(error)),
        Unsupported: lambda error: problem(415, str(error)),
    }
    for kind, answer in answers.items():
        api.add_exception_handler(kind, _handler(answer))
    api.add_exception_handler(Exception, _broken)


class ProblemMiddleware:
    """What Django itself refuses below /api/ (no such address, no such method) as a document."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, and say an error as this door says errors."""
        response = self._get_response(request)
        plain = response.get("Content-Type", "").partition(";")[0] != MEDIA_TYPE
        if not request.path.startswith(PREFIX) or response.status_code < 400 or not plain:
            return response
        told = problem(response.status_code, _DETAILS.get(response.status_code, "Not done."))
        if "Allow" in response:
            told["Allow"] = response["Allow"]
        return told


_DETAILS = {
    400: "The request cannot be understood.",
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    413: "The body is larger than this address takes.",
}


def _handler(
    answer: Callable[[Any], HttpResponse],
) -> Callable[[HttpRequest, Any], HttpResponse]:
    return lambda request, error: answer(error)


def _broken(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    log.exception("a request failed", path=request.path, exc_info=error)
    return problem(500, "This is a fault of the server; it has been written down.")


def _field(place: tuple[Any, ...]) -> str:
    """The name of a field without the part of the request that it stands in."""
    return ".".join(str(part) for part in place[1:]) or str(place[0] if place else "body")
