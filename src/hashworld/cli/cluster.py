"""What the commands ask of a cluster, be it here or far away: documents as REST has them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

Document = dict[str, Any]
#: Items of one page that is asked for.
PAGE = 1000


class Failed(Exception):
    """What was asked for was not done; the text is for people, `code` is how the command ends."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class Cluster(Protocol):
    """A cluster as one person sees it. All raise Failed."""

    def jobs(self, wanted: Mapping[str, Any], cursor: str | None, limit: int) -> Document:
        """A page of jobs."""

    def job(self, job_id: int) -> Document:
        """One job."""

    def tasks(self, wanted: Mapping[str, Any], cursor: str | None, limit: int) -> Document:
        """A page of tasks."""

    def task(self, task_id: int) -> Document:
        """One task."""

    def nodes(self) -> list[Document]:
        """All nodes."""

    def tell_node(self, name: str, verb: str, reason: str) -> Document:
        """Let a node drain, resume, pause or unpause."""

    def tell_job(self, job_id: int, verb: str, reason: str, which: str = "") -> Document:
        """Kill a job, or retry its failed or its killed tasks."""

    def tell_tasks(self, ids: Sequence[int], verb: str, reason: str) -> Document:
        """Kill or retry tasks."""

    def why(self, task_id: int) -> Document:
        """What keeps a task from running."""

    def export(self, job_id: int, form: str) -> Iterator[bytes]:
        """The results of a job in a format of REST's."""

    def tokens(self) -> list[Document]:
        """The person's tokens."""

    def issue(self, name: str, scopes: Sequence[str], seconds: int | None) -> Document:
        """A new token with its secret."""

    def revoke(self, token_id: int) -> Document:
        """End a token."""

    def issue_node_token(self, node: str) -> Document:
        """A new token for a node."""


def pages(ask: Any, wanted: Mapping[str, Any], most: int) -> Iterator[Document]:
    """Up to `most` items, page by page."""
    cursor: str | None = None
    left = most
    while left > 0:
        page = ask(wanted, cursor, min(PAGE, left))
        yield from page["items"]
        left -= len(page["items"])
        cursor = page["next"]
        if cursor is None:
            return
