"""A cluster far away, over REST, in the name of a token's owner."""

import json
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from hashworld.cli.cluster import Document, Failed
from hashworld.cli.local import REFUSED
from hashworld.command import AWAY, WRONG

#: Seconds that the server has for each part of an answer.
PATIENCE = 60
CHUNK = 64 * 1024
#: Statuses that mean that what was given cannot be used, or names nothing that there is.
_WRONG = (400, 401, 404, 422)


class _Stay(HTTPRedirectHandler):
    """Follows nothing: the token is for the server that was named."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """No other request; the redirect is an error."""


class Remote:
    """Calls the routes under `url`, which is the site's address."""

    def __init__(self, url: str, token: str) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise Failed(f"HASHWORLD_URL must be as https://host[:port], not {url!r}", WRONG)
        if not token:
            raise Failed("HASHWORLD_TOKEN is missing: a cluster far away asks for a token.", WRONG)
        self._base = url.rstrip("/") + "/api/v1"
        self._token = token
        self._opener = build_opener(_Stay)

    def jobs(self, wanted: Mapping[str, Any], cursor: str | None, limit: int) -> Document:
        """A page of jobs."""
        return self._get("/jobs", {**wanted, "cursor": cursor, "limit": limit})

    def job(self, job_id: int) -> Document:
        """One job."""
        return self._get(f"/jobs/{job_id}")

    def tasks(self, wanted: Mapping[str, Any], cursor: str | None, limit: int) -> Document:
        """A page of tasks."""
        return self._get("/tasks", {**wanted, "cursor": cursor, "limit": limit})

    def task(self, task_id: int) -> Document:
        """One task."""
        return self._get(f"/tasks/{task_id}")

    def nodes(self) -> list[Document]:
        """All nodes."""
        found: Any = self._get("/nodes")
        nodes: list[Document] = found
        return nodes

    def tell_node(self, name: str, verb: str, reason: str) -> Document:
        """Let a node do something; how it stands then."""
        return self._post(f"/nodes/{quote(name, safe='')}/{verb}", {"reason": reason})

    def tell_job(self, job_id: int, verb: str, reason: str, which: str = "") -> Document:
        """Kill a job, or retry of it."""
        query = f"?which={which}" if which else ""
        return self._post(f"/jobs/{job_id}/{verb}{query}", {"reason": reason})

    def tell_tasks(self, ids: Sequence[int], verb: str, reason: str) -> Document:
        """Kill or retry tasks."""
        return self._post(f"/tasks/{verb}", {"ids": list(ids), "reason": reason})

    def why(self, task_id: int) -> Document:
        """What keeps a task from running."""
        return self._get(f"/tasks/{task_id}/why")

    def export(self, job_id: int, form: str) -> Iterator[bytes]:
        """The results of a job."""
        with self._open("GET", f"/jobs/{job_id}/results", {"format": form}) as answer:
            while True:
                try:
                    chunk = answer.read(CHUNK)
                except (OSError, HTTPException) as error:
                    raise Failed(f"The export broke off: {error}", AWAY) from error
                if not chunk:
                    return
                yield chunk

    def tokens(self) -> list[Document]:
        """The person's tokens."""
        found: Any = self._get("/tokens")
        tokens: list[Document] = found
        return tokens

    def issue(self, name: str, scopes: Sequence[str], seconds: int | None) -> Document:
        """A new token with its secret."""
        wanted = {"name": name, "scopes": list(scopes), "expires_in": seconds}
        return self._post("/tokens", wanted)

    def revoke(self, token_id: int) -> Document:
        """End a token."""
        return self._answer("DELETE", f"/tokens/{token_id}")

    def issue_node_token(self, node: str) -> Document:
        """Not over REST: who makes a node a member does it where the cluster is."""
        raise Failed("Tokens of nodes are issued on a machine of the cluster.", WRONG)

    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> Document:
        return self._answer("GET", path, query)

    def _post(self, path: str, body: Document) -> Document:
        return self._answer("POST", path, body=body)

    def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Document | None = None,
    ) -> Document:
        with self._open(method, path, query, body) as answer:
            try:
                document: Document = json.loads(answer.read())
            except (OSError, HTTPException, ValueError) as error:
                raise Failed(f"The answer of {self._base} cannot be read: {error}", AWAY) from error
            return document

    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Document | None = None,
    ) -> HTTPResponse:
        given = {key: value for key, value in (query or {}).items() if value is not None}
        url = f"{self._base}{path}" + (f"?{urlencode(given, doseq=True)}" if given else "")
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "*/*"}
        data = None
        if body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body).encode()
        request = Request(url, data, headers, method=method)  # noqa: S310 - http or https, see above
        try:
            answer: HTTPResponse = self._opener.open(request, timeout=PATIENCE)
        except HTTPError as error:
            raise _refused(error) from error
        except (URLError, OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise Failed(f"{self._base} cannot be reached: {reason}", AWAY) from error
        return answer


def _refused(error: HTTPError) -> Failed:
    """What a problem document says, or the status where there is none."""
    with error:
        try:
            document = json.loads(error.read(CHUNK))
            text = str(document["detail"])
            fields = [f"{e['field']}: {e['reason']}" for e in document.get("errors", ())]
        except (OSError, ValueError, KeyError, TypeError):
            text, fields = f"The server answered {error.code} {error.reason}.", []
    code = WRONG if error.code in _WRONG else AWAY if error.code >= 500 else REFUSED
    return Failed("; ".join(fields) or text, code)
