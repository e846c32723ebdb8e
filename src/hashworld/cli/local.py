"""The cluster of the local database, in the name of one of its people."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model

from hashworld.api import exports, tokens
from hashworld.api.rpc import node_tokens
from hashworld.api.schemas import words
from hashworld.api.schemas.cluster import NodeOut
from hashworld.api.schemas.jobs import JobOut
from hashworld.api.schemas.tasks import TaskOut
from hashworld.api.schemas.tokens import TokenOut
from hashworld.cli.cluster import Document, Failed
from hashworld.command import AWAY, WRONG
from hashworld.verbs import errors, jobs, nodes, tasks
from hashworld.verbs.filters import JobFilter, TaskFilter

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: How a command ends that was refused.
REFUSED = 1

NODE_VERBS: dict[str, Callable[..., Any]] = {
    "drain": nodes.drain,
    "resume": nodes.resume,
    "pause": nodes.pause,
    "unpause": nodes.unpause,
}
TASK_VERBS: dict[str, Callable[..., tasks.Acted]] = {"kill": tasks.kill, "retry": tasks.retry}


def person(name: str = "") -> "User":
    """Who acts: the account of this name, or the first superuser. Raises Failed."""
    people = get_user_model().objects.filter(is_active=True)
    chosen = people.filter(username=name) if name else people.filter(is_superuser=True)
    found = chosen.order_by("pk").first()
    if found is None and name:
        raise Failed(f"There is no active account {name!r}.", WRONG)
    if found is None:
        raise Failed("There is no superuser to act for; name an account by --as.", WRONG)
    return found


class Local:
    """Calls the verbs."""

    def __init__(self, user: "User") -> None:
        self._user = user

    def jobs(self, wanted: Mapping[str, Any], cursor: str | None, limit: int) -> Document:
        """A page of jobs."""
        with _told():
            page = jobs.find(self._user, JobFilter(**_typed(wanted)), cursor, limit)
            return {"items": [_plain(JobOut.of(j)) for j in page.items], "next": page.next}

    def job(self, job_id: int) -> Document:
        """One job."""
        with _told():
            return _plain(JobOut.of(jobs.get(self._user, job_id)))

    def tasks(self, wanted: Mapping[str, Any], cursor: str | None, limit: int) -> Document:
        """A page of tasks."""
        with _told():
            chosen = _typed(wanted)
            states = tuple(words.state(name) for name in chosen.pop("state", ()))
            page = tasks.find(self._user, TaskFilter(states=states, **chosen), cursor, limit)
            return {"items": [_plain(TaskOut.of(t)) for t in page.items], "next": page.next}

    def task(self, task_id: int) -> Document:
        """One task."""
        with _told():
            return _plain(TaskOut.of(tasks.get(self._user, task_id)))

    def nodes(self) -> list[Document]:
        """All nodes."""
        with _told():
            return [_plain(NodeOut.of(seen)) for seen in nodes.find(self._user)]

    def tell_node(self, name: str, verb: str, reason: str) -> Document:
        """Let a node do something; how it stands then."""
        with _told():
            NODE_VERBS[verb](self._user, name, reason)
            return _plain(NodeOut.of(nodes.get(self._user, name)))

    def tell_job(self, job_id: int, verb: str, reason: str, which: str = "") -> Document:
        """Kill a job, or retry of it."""
        with _told():
            if verb == "kill":
                return _plain(JobOut.of(jobs.kill(self._user, job_id, reason)))
            return _plain(JobOut.of(jobs.retry(self._user, job_id, which, reason)))

    def tell_tasks(self, ids: Sequence[int], verb: str, reason: str) -> Document:
        """Kill or retry tasks."""
        with _told():
            acted = TASK_VERBS[verb](self._user, ids, reason)
            return {name: sorted(getattr(acted, name)) for name in ("done", "skipped", "unknown")}

    def why(self, task_id: int) -> Document:
        """What keeps a task from running."""
        with _told():
            found = tasks.why(self._user, task_id)
            return {"cause": found.cause.value, "sentence": found.sentence, "remedy": found.remedy}

    def export(self, job_id: int, form: str) -> Iterator[bytes]:
        """The results of a job."""
        with _told():
            stream: Any = exports.stream(self._user, job_id, form)  # type: ignore[arg-type]
            yield from stream.streaming_content

    def tokens(self) -> list[Document]:
        """The person's tokens."""
        return [_plain(TokenOut.of(token)) for token in tokens.find(self._user)]

    def issue(self, name: str, scopes: Sequence[str], seconds: int | None) -> Document:
        """A new token with its secret."""
        with _told():
            lasting = timedelta(seconds=seconds) if seconds else None
            token, secret = tokens.issue(self._user, name, scopes, lasting)
            return {"secret": secret, **_plain(TokenOut.of(token))}

    def revoke(self, token_id: int) -> Document:
        """End a token."""
        with _told():
            return _plain(TokenOut.of(tokens.revoke(self._user, token_id)))

    def issue_node_token(self, node: str) -> Document:
        """A new token for a node."""
        with _told():
            return {"node": node, "secret": node_tokens.issue(self._user, node)}


def _plain(shown: Any) -> Document:
    document: Document = shown.model_dump(mode="json")
    return document


def _typed(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The filters as the verbs take them."""
    chosen = dict(wanted)
    if "since" in chosen:
        try:
            chosen["since"] = datetime.fromisoformat(chosen["since"])
        except ValueError:
            raise errors.Invalid("since", "must be as 2030-01-31T12:00:00Z") from None
        if chosen["since"].tzinfo is None:
            raise errors.Invalid("since", "must name its time zone, as in 2030-01-31T12:00:00Z")
    return chosen


@contextmanager
def _told() -> Iterator[None]:
    """The verbs' errors as those of the commands."""
    try:
        yield
    except (errors.Invalid, errors.NotFound) as error:
        raise Failed(str(error), WRONG) from error
    except errors.Unavailable as error:
        raise Failed(str(error), AWAY) from error
    except errors.VerbError as error:
        raise Failed(str(error), REFUSED) from error
