"""Signing in to the admin, from a terminal: whoever may, gets tickets for the chatroom."""

import http.cookiejar
import json
import re
import urllib.error
import urllib.parse
import urllib.request

#: Seconds for one request.
TIMEOUT = 15.0


class SignInFailed(Exception):
    """The admin did not let this person in."""


class Admin:
    """The admin as a signed-in person sees it; every call waits for the network."""

    def __init__(self, base: str, name: str, password: str) -> None:
        self.base = base.rstrip("/")
        self._name = name
        self._password = password
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))

    def ticket(self) -> str:
        """A ticket for the chatroom; signs in where that is needed."""
        try:
            return self._ticket()
        except (SignInFailed, urllib.error.HTTPError):
            self._sign_in()
            return self._ticket()

    def socket(self) -> str:
        """Where the chatroom is, as its page says."""
        page = self._open("/admin/chat/").decode()
        found = re.search(r'data-url="([^"]*)" data-port="(\d*)"', page)
        if not found:
            raise SignInFailed("the admin shows no chatroom: this account is in no group")
        here = urllib.parse.urlsplit(self.base)
        port = f"//{here.hostname}:{found[2]}/ws/"
        place = urllib.parse.urlsplit(urllib.parse.urljoin(self.base, found[1] or port))
        return str(place._replace(scheme="wss" if here.scheme == "https" else "ws").geturl())

    def _ticket(self) -> str:
        if not any(cookie.name == "sessionid" for cookie in self._jar):
            raise SignInFailed("not signed in")
        answer = self._open("/admin/chat/ticket/", {})
        return str(json.loads(answer)["ticket"])

    def _sign_in(self) -> None:
        self._jar.clear()
        self._open("/admin/login/")
        given = {"username": self._name, "password": self._password, "next": "/admin/chat/"}
        page = self._open("/admin/login/", given)
        if not any(cookie.name == "sessionid" for cookie in self._jar):
            raise SignInFailed("wrong name or password" if page else "no answer")

    def _open(self, path: str, fields: dict[str, str] | None = None) -> bytes:
        data = None
        headers = {"Referer": f"{self.base}/admin/"}
        if fields is not None:
            token = next((c.value for c in self._jar if c.name == "csrftoken"), "") or ""
            data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        request = urllib.request.Request(self.base + path, data, headers)  # noqa: S310 - checked
        with self._opener.open(request, timeout=TIMEOUT) as answer:
            return bytes(answer.read())
