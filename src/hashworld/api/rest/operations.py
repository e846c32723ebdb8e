"""Verbs on everything that matches, over REST."""

from typing import Annotated

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from hashworld.api.door import opened, user
from hashworld.api.schemas.tasks import OperationIn, OperationOut, OperationPage
from hashworld.api.schemas.words import Id, Word
from hashworld.verbs import operations, paging

router = Router(tags=["operations"])


@opened(router, "POST", "/operations", operations.start, response={202: OperationOut})
def start_operation(request: HttpRequest, wanted: OperationIn) -> Status[OperationOut]:
    """Kill, retry or delete all tasks that match, in the background.

    Without states, a retry is for those that failed or were killed.
    """
    made = operations.start(user(request), wanted.verb, wanted.where.filter(), wanted.reason)
    return Status(202, OperationOut.of(made))


@opened(router, "GET", "/operations", operations.find, response=OperationPage)
def list_operations(
    request: HttpRequest,
    cursor: Word | None = None,
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL,
) -> OperationPage:
    """Your operations, or everybody's if you may see all jobs, the newest first."""
    page = operations.find(user(request), cursor, limit)
    return OperationPage(items=[OperationOut.of(found) for found in page.items], next=page.next)


@opened(router, "GET", "/operations/{operation_id}", operations.get, response=OperationOut)
def get_operation(request: HttpRequest, operation_id: Id) -> OperationOut:
    """One operation and how far it is."""
    return OperationOut.of(operations.get(user(request), operation_id))


@opened(
    router,
    "DELETE",
    "/operations/{operation_id}",
    operations.cancel,
    errors=(409,),
    response=OperationOut,
)
def cancel_operation(request: HttpRequest, operation_id: Id, reason: Word = "") -> OperationOut:
    """End it where it is; what is done stays done."""
    return OperationOut.of(operations.cancel(user(request), operation_id, reason))
