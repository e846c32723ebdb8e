"""From a response to a decided try, without any network or database."""

import gzip
import hashlib
from typing import Any

import pytest

from hashworld.fetcher.engine import Request, Response, Timings
from hashworld.fetcher.errors import ErrorKind
from hashworld.fetcher.limits import FetchLimits
from hashworld.tasks import content
from hashworld.tasks.accounts import Moved
from hashworld.tasks.attempts import Ended
from hashworld.tasks.finishing import Running, finish
from hashworld.tasks.retry import RetryPolicy
from hashworld.tasks.states import State, Verb

URL = "http://a.example/"
PAGE = b"<html><head><title> A  page </title></head></html>"


def response(**columns: Any) -> Response:
    request = Request(key=1, url=URL, host="a.example", limits=columns.pop("limits", FetchLimits()))
    told: dict[str, Any] = {
        "key": 1,
        "status": 200,
        "url": URL,
        "headers": [("Content-Type", "text/html; charset=utf-8")],
        "raw": PAGE,
        "error": None,
        "detail": "",
        "timings": Timings(0.001, 0.002, None, 0.003, 0.5),
        "redirects": [],
        "ip": "192.0.2.1",
        "received": len(columns.get("raw", PAGE)),
        "request": request,
    }
    return Response(**{**told, **columns})


TASK = Moved(17, 1, 1, 7, State.RUNNING, 0, 0)


def ended(failures: int = 0, **columns: Any) -> Ended:
    running = Running(TASK, failures, RetryPolicy(4, 2.0, 300.0))
    return finish(response(**columns), running, 3, dice=lambda: 1.0)


def packed(data: bytes, **columns: Any) -> Ended:
    headers = [("Content-Type", "text/html"), ("Content-Encoding", "gzip")]
    return ended(headers=headers, raw=data, **columns)


def test_a_page_is_described_and_ready_to_be_kept() -> None:
    end = ended()
    assert (end.task_id, end.lease_id, end.node_id) == (17, 7, 3)
    assert (end.verb, end.status, end.error, end.seconds) == (Verb.SUCCEED, 200, "", 0.5)
    assert (end.sha256, end.size) == (hashlib.sha256(PAGE).hexdigest(), len(PAGE))
    assert content.zstd.decompress(end.compressed) == PAGE
    assert (end.title, end.charset) == ("A page", "utf-8")
    assert end.content_type == "text/html; charset=utf-8"
    assert end.headers == "Content-Type: text/html; charset=utf-8"
    assert (end.ip, end.received, end.final_url, end.redirects) == (
        "192.0.2.1",
        len(PAGE),
        "",
        "",
    )
    assert end.timings == (1.0, 2.0, None, 3.0, 500.0)


def test_a_body_is_kept_decoded() -> None:
    end = packed(gzip.compress(PAGE))
    assert (end.verb, end.size) == (Verb.SUCCEED, len(PAGE))
    assert end.sha256 == hashlib.sha256(PAGE).hexdigest()


def test_an_empty_body_is_a_body() -> None:
    end = ended(status=204, raw=b"")
    assert end.verb is Verb.SUCCEED
    assert end.sha256 == hashlib.sha256(b"").hexdigest()


def test_the_way_through_redirects_is_told() -> None:
    end = ended(url="http://b.example/x", redirects=[(301, URL), (302, "http://b.example/")])
    assert end.final_url == "http://b.example/x"
    assert end.redirects == f"301 {URL}\n302 http://b.example/"


def test_a_bomb_fails_and_keeps_nothing() -> None:
    end = packed(gzip.compress(b"\0" * 10_000), limits=FetchLimits(max_decoded=1000))
    assert (end.verb, end.error) == (Verb.FAIL, ErrorKind.DECODED_TOO_LARGE)
    assert (end.sha256, end.compressed) == ("", b"")
    assert end.detail


def test_a_body_that_cannot_be_decoded_fails_and_keeps_nothing() -> None:
    end = packed(b"no gzip at all")
    assert (end.verb, end.error, end.sha256) == (Verb.FAIL, ErrorKind.DECODE, "")
    assert end.status == 200


def test_the_page_of_an_error_is_kept_too() -> None:
    end = ended(status=404, error=ErrorKind.CLIENT_ERROR)
    assert (end.verb, end.status, end.error) == (Verb.FAIL, 404, ErrorKind.CLIENT_ERROR)
    assert (end.size, end.title) == (len(PAGE), "A page")


def test_an_error_without_a_page_keeps_nothing() -> None:
    end = ended(status=404, error=ErrorKind.CLIENT_ERROR, raw=b"")
    assert (end.verb, end.sha256) == (Verb.FAIL, "")


def test_a_broken_page_leaves_a_servers_error_what_it_is() -> None:
    end = packed(b"no gzip at all", status=503, error=ErrorKind.SERVER_ERROR)
    assert (end.verb, end.error) == (Verb.RETRY_LATER, ErrorKind.SERVER_ERROR)
    assert end.sha256 == ""


def test_a_fetch_that_never_reached_its_host_keeps_nothing() -> None:
    end = ended(
        status=None, headers=[], raw=b"", error=ErrorKind.DNS, detail="d" * 999, timings=Timings()
    )
    assert (end.verb, end.status, end.error) == (Verb.RETRY_LATER, None, ErrorKind.DNS)
    assert (end.seconds, end.sha256, len(end.detail)) == (0.0, "", 300)
    assert end.timings == (None,) * 5


def test_our_own_fault_is_tried_again() -> None:
    end = ended(status=None, raw=b"", error=ErrorKind.INTERNAL, detail="too many open files")
    assert (end.verb, end.error, end.detail) == (
        Verb.RETRY_LATER,
        ErrorKind.INTERNAL,
        "too many open files",
    )


def test_the_last_try_fails_for_good() -> None:
    assert ended(failures=3, status=500, error=ErrorKind.SERVER_ERROR).verb is Verb.FAIL


@pytest.mark.parametrize(("asked", "delay"), [("60", 60.0), ("nonsense", 2.0), ("1", 2.0)])
def test_a_server_that_asks_for_patience_is_given_it(asked: str, delay: float) -> None:
    end = ended(status=429, error=ErrorKind.RATE_LIMITED, raw=b"", headers=[("Retry-After", asked)])
    assert (end.verb, end.delay) == (Verb.RETRY_LATER, delay)


def test_what_a_server_says_is_cut_to_the_columns() -> None:
    end = ended(
        url="http://a.example/" + "x" * 3000,
        headers=[("Content-Type", "text/html; x=" + "y" * 500)],
        raw=b"<title>" + b"t" * 5000 + b"</title>",
    )
    assert (len(end.final_url), len(end.content_type), len(end.title)) == (2048, 100, 300)
    assert len(end.charset) <= 40
