"""Who comes to a stack through nginx: a browser, and a program with a token."""

import json
import re
import ssl
from collections.abc import Callable, Sequence
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPSHandler, Request, build_opener
from uuid import uuid4

FORM = {
    **{"priority": "1", "duplicates": "keep", "method": "GET", "verify_tls": "on"},
    **{"max_attempts": "4", "retry_base": "2", "retry_cap": "300"},
}


class Visitor:
    """A browser, as far as forms and cookies go."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cookies = CookieJar()
        self._open = build_opener(
            HTTPSHandler(context=unverified()), HTTPCookieProcessor(self._cookies)
        ).open

    def get(self, path: str) -> tuple[int, str]:
        """Status and text; errors of HTTP are answers too."""
        return self._send(Request(self._url + path))

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        """A form that is sent from its own page."""
        token = next(cookie.value for cookie in self._cookies if cookie.name == "csrftoken")
        data = urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        return self._send(Request(self._url + path, data, {"Referer": self._url + path}))

    def sign_in(self, password: str) -> None:
        """As the administrator."""
        assert self.get("/admin/login/")[0] == 200
        status, page = self.post(
            "/admin/login/", username="admin", password=password.strip(), next="/admin/"
        )
        assert status == 200, page
        assert "sessionid" in {cookie.name for cookie in self._cookies}

    def read(self) -> str:
        """The list of jobs; what was answered instead, where that was not."""
        status, page = self.get("/admin/tasks/job/")
        return "" if status == 200 else f"{status} {page[:2000]}"

    def submit(self, urls: Sequence[str]) -> str:
        """Hand in a job; what was answered instead, where it was not accepted."""
        path = "/admin/tasks/job/add/"
        status, page = self.post(path, **FORM, token=uuid4().hex, urls="\n".join(urls))
        accepted = status == 200 and re.search(r"Accepted: [\d,]+ URL", page)
        return "" if accepted else f"{status} {page[:2000]}"

    def ticket(self) -> str:
        """What lets this person into the chat."""
        return str(json.loads(self.post("/admin/chat/ticket/")[1])["ticket"])

    def _send(self, request: Request) -> tuple[int, str]:
        return answered(self._open, request)


class Program:
    """Who comes in with a token, by REST."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._open = build_opener(HTTPSHandler(context=unverified())).open

    def read(self) -> str:
        """The newest jobs; what was answered instead, where these were not."""
        status, page = answered(
            self._open, Request(f"{self._url}/api/v1/jobs", None, self._headers)
        )
        return "" if status == 200 else f"{status} {page[:2000]}"

    def submit(self, urls: Sequence[str]) -> str:
        """Hand in a job; what was answered instead, where it was not accepted."""
        headers = {**self._headers, "Content-Type": "application/json"}
        document = json.dumps({"urls": list(urls)}).encode()
        request = Request(f"{self._url}/api/v1/jobs", document, headers)
        status, page = answered(self._open, request)
        return "" if status == 201 else f"{status} {page[:2000]}"


def unverified() -> ssl.SSLContext:
    """For certificates that sign themselves."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def answered(ask: Callable[..., Any], request: Request) -> tuple[int, str]:
    """Status and text; errors of HTTP are answers too."""
    try:
        with ask(request, timeout=60) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except HTTPError as error:
        return error.code, error.read().decode(errors="replace")
