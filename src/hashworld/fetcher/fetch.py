"""One request on its way through its hops."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from .errors import ErrorKind
from .exchange import Request, Response, Timings

if TYPE_CHECKING:
    from .transfer import Transfer


class Fetch:
    """Where one request stands. `transfer` is set while a hop is under way."""

    __slots__ = ("abandoned", "hop", "redirects", "request", "started", "transfer")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.hop = request
        self.redirects: list[tuple[int, str]] = []
        self.started: float | None = None
        self.transfer: Transfer | None = None
        self.abandoned = False

    @property
    def lane(self) -> int:
        """Whose turn it must be."""
        return self.request.lane

    def deadline(self) -> float:
        """When `total_timeout` is over; infinite before the first hop has started."""
        return inf if self.started is None else self.started + self.request.limits.total_timeout

    def fail(self, error: ErrorKind, detail: str, now: float) -> Response:
        """The response of a fetch that ends while none of its hops is under way."""
        return Response(
            key=self.request.key,
            status=None,
            url=self.hop.url,
            headers=[],
            raw=b"",
            error=error,
            detail=detail,
            timings=Timings(total=None if self.started is None else now - self.started),
            redirects=self.redirects,
            ip="",
            received=0,
            request=self.request,
        )
