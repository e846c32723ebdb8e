"""The door of REST: who comes in, by which verb, and how its description is made.

A route is opened for a verb, and with it for the scope that the verb needs. What is not opened so
is shut: the API's own rule lets nobody in.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.http import HttpRequest
from ninja import NinjaAPI, Router
from ninja.openapi.schema import OpenAPISchema
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from hashworld.api import tokens
from hashworld.api.problems import MEDIA_TYPE, Unauthorized
from hashworld.verbs.errors import Forbidden
from hashworld.verbs.rights import Scope, scope_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

View = TypeVar("View", bound=Callable[..., Any])

#: What any route may answer besides what it is for.
USUAL_ERRORS = (400, 401, 403, 404, 422)
#: Members of the description that only this module reads.
ERRORS, PRODUCES, CONSUMES = "x-errors", "x-produces", "x-consumes"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a person, and what the token, or the session, may be used for."""

    user: "User"
    scopes: frozenset[str]


class BearerToken(HttpBearer):
    """A token in the header `Authorization`."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        super().__init__()

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        """The caller; raises Unauthorized, or Forbidden when the scope is not the token's."""
        try:
            found = tokens.authenticate(token)
        except tokens.BadToken as error:
            raise Unauthorized(f"You are not let in: {error}.") from error
        if self.scope.value not in found.scopes:
            raise Forbidden(f"This token lacks the scope {self.scope.value!r}.")
        return Caller(found.user, frozenset(found.scopes))


class Session(APIKeyCookie):
    """The session of somebody signed in to the admin; writes need its CSRF token."""

    param_name = "sessionid"

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        super().__init__(csrf=False)

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        """The caller, or None when nobody is signed in; raises Forbidden for a forged request."""
        if "Authorization" in request.headers or not request.user.is_authenticated:
            return None
        if check_csrf(request):
            raise Forbidden("The CSRF token is missing or wrong: send it as X-CSRFToken.")
        return Caller(request.user, frozenset(Scope))


def needs(verb: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The rule for a route that stands for a verb."""
    scope = scope_of(verb)
    return [BearerToken(scope), Session(scope)]


def nobody(request: HttpRequest) -> None:
    """The rule for a route that was given none."""


def opened(
    router: Router,
    method: str,
    path: str,
    verb: Callable[..., Any],
    *,
    errors: Collection[int] = (),
    produces: Collection[str] = (),
    consumes: dict[str, Any] | None = None,
    **options: Any,
) -> Callable[[View], View]:
    """Open a route for a verb; `errors` are the statuses that it may answer besides the usual."""
    extra: dict[str, Any] = {ERRORS: sorted({*USUAL_ERRORS, *errors})}
    if produces:
        extra[PRODUCES] = list(produces)
    if consumes:
        extra[CONSUMES] = consumes

    def add(view: View) -> View:
        decorate = router.api_operation(
            [method],
            path,
            auth=needs(verb),
            operation_id=view.__name__,
            openapi_extra=extra,
            **options,
        )
        decorate(view)
        return view

    return add


def caller(request: HttpRequest) -> Caller:
    """Who came in by this request."""
    return cast(Caller, request.auth)  # type: ignore[attr-defined]  # ninja puts it there


def user(request: HttpRequest) -> "User":
    """The person in whose name this request is made."""
    return caller(request).user


class Door(NinjaAPI):
    """The API, which describes its errors and streams as well."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """The OpenAPI document."""
        document = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        document["components"].setdefault("schemas", {})["Problem"] = PROBLEM
        for operations in document["paths"].values():
            for operation in operations.values():
                _describe(operation)
        return document


PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
RETRY_AFTER = {"Retry-After": {"description": "In so many seconds.", "schema": {"type": "integer"}}}


def _stream(kind: str) -> dict[str, Any]:
    """A stream has no schema of its own where readers would hold each of its events against it."""
    if kind == "text/event-stream":
        return {}
    return {"schema": {"type": "string", "format": "binary"}}


def _describe(operation: dict[Any, Any]) -> None:
    responses = {str(status): answer for status, answer in operation["responses"].items()}
    for status in operation.pop(ERRORS, USUAL_ERRORS):
        described: dict[str, Any] = {
            "description": "A problem.",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        if status in (429, 503):
            described["headers"] = RETRY_AFTER
        responses[str(status)] = described
    if produces := operation.pop(PRODUCES, None):
        content = {kind: _stream(kind) for kind in produces}
        responses["200"] = {"description": "OK", "content": content}
    if consumes := operation.pop(CONSUMES, None):
        operation["requestBody"] = {"required": True, "content": consumes}
    operation["responses"] = responses
