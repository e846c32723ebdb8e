"""Each kind of error, brought about by a real server's behaviour."""

import gzip
import socket
import tracemalloc

import brotli
import pytest

from hashworld.fetcher import BodyError, ErrorKind, FetchLimits, decode
from hashworld.fetcher.limits import MIB

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def sends(*parts):
    """Send and close."""
    return lambda exchange: exchange.send(*parts)


def sends_and_hangs(*parts):
    def behave(exchange):
        exchange.send(*parts)
        exchange.hang()

    return behave


def sends_for_ever(start, part):
    def behave(exchange):
        exchange.send(start)
        exchange.repeat(part)

    return behave


def resets_after(*parts):
    def behave(exchange):
        exchange.send(*parts)
        exchange.server.closing.wait(0.05)
        exchange.reset()

    return behave


def drips(start, part):
    def behave(exchange):
        exchange.send(start)
        while not exchange.server.closing.wait(0.02):
            exchange.send(part)

    return behave


def status(code):
    return lambda exchange: exchange.respond(b"said so", code)


BROKEN = {
    "resets before the answer": (resets_after(b""), ErrorKind.RESET),
    "closes before the answer": (sends(b""), ErrorKind.RESET),
    "resets within the headers": (resets_after(OK, b"Cont"), ErrorKind.RESET),
    "closes within the headers": (sends(OK, b"A: b\r\n"), ErrorKind.RESET),
    "resets within the body": (resets_after(OK, b"Content-Length: 99\r\n\r\nx"), ErrorKind.RESET),
    "announces more than it sends": (sends(OK, b"Content-Length: 99\r\n\r\nx"), ErrorKind.RESET),
    "stops within a chunk": (sends(CHUNKED, b"5\r\nab"), ErrorKind.RESET),
    "stops before the last chunk": (sends(CHUNKED, b"2\r\nab\r\n"), ErrorKind.RESET),
    "malformed chunk size": (sends(CHUNKED, b"zz\r\nab"), ErrorKind.PROTOCOL),
    "endless chunk extension": (sends_for_ever(CHUNKED + b"5;", b"x" * 999), ErrorKind.TOO_SLOW),
    "HTTP/0.9": (sends(b"<html>hello</html>"), ErrorKind.PROTOCOL),
    "garbage": (sends(bytes(range(256)) * 9), ErrorKind.PROTOCOL),
    "malformed status": (sends(b"HTTP/1.1 abc\r\n\r\n"), ErrorKind.PROTOCOL),
    "NUL in a header": (sends(OK, b"A: \0\r\n\r\n"), ErrorKind.PROTOCOL),
    "header without colon": (sends(OK, b"nonsense\r\n\r\n"), ErrorKind.PROTOCOL),
    "two lengths": (
        sends(OK, b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        ErrorKind.PROTOCOL,
    ),
    "negative length": (sends(OK, b"Content-Length: -1\r\n\r\n"), ErrorKind.PROTOCOL),
    "unasked-for transfer encoding": (
        sends(OK, b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ErrorKind.PROTOCOL,
    ),
    "switches protocols": (sends(b"HTTP/1.1 101 No\r\nUpgrade: x\r\n\r\n"), ErrorKind.RESET),
    "endless header lines": (sends_for_ever(OK, b"X: y\r\n"), ErrorKind.HEADERS_TOO_LARGE),
    "endless header line": (sends_for_ever(OK + b"X: ", b"y" * 9999), ErrorKind.HEADERS_TOO_LARGE),
    "endless early hints": (
        sends_for_ever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
        ErrorKind.HEADERS_TOO_LARGE,
    ),
    "endless continue": (
        sends_for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ErrorKind.HEADERS_TOO_LARGE,
    ),
    "endless trailers": (
        sends_for_ever(CHUNKED + b"0\r\n", b"X: y\r\n"),
        ErrorKind.HEADERS_TOO_LARGE,
    ),
    "102 header lines": (sends(OK, b"X: y\r\n" * 100, b"\r\n"), ErrorKind.HEADERS_TOO_LARGE),
    "65 KiB of headers": (
        sends(OK, b"".join(b"X: " + b"y" * 9000 + b"\r\n" for _ in range(8)), b"\r\n"),
        ErrorKind.HEADERS_TOO_LARGE,
    ),
    "429": (status(429), ErrorKind.RATE_LIMITED),
    "500": (status(500), ErrorKind.SERVER_ERROR),
    "503": (status(503), ErrorKind.SERVER_ERROR),
    "408": (status(408), ErrorKind.SERVER_ERROR),
    "404": (status(404), ErrorKind.CLIENT_ERROR),
    "304": (lambda exchange: exchange.send(b"HTTP/1.1 304 Not\r\n\r\n"), ErrorKind.CLIENT_ERROR),
    "302 without a location": (status(302), ErrorKind.CLIENT_ERROR),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_way_of_breaking_has_its_kind(fetching, serve, name):
    behave, kind = BROKEN[name]
    response = fetching.fetch(serve(behave).url(), limits=FetchLimits(min_rate_window=1.0))
    assert (response.error, response.detail != "") == (kind, True)
    assert response.ip == "127.0.0.1"


def test_the_page_of_an_error_status_is_kept(fetching, serve):
    response = fetching.fetch(serve(status(404)).url())
    assert (response.status, response.raw, response.detail) == (404, b"said so", "status 404")


def test_half_a_body_is_counted_and_not_given_out(fetching, serve):
    response = fetching.fetch(serve(sends(OK, b"Content-Length: 99\r\n\r\nhalf")).url())
    assert (response.status, response.raw, response.received) == (200, b"", 4)


def test_bytes_beyond_the_announced_length_are_left_out(fetching, serve):
    response = fetching.fetch(serve(sends(OK, b"Content-Length: 2\r\n\r\nhidden")).url())
    assert (response.raw, response.error) == (b"hi", None)


def test_headers_just_within_the_limits_are_read(fetching, serve):
    server = serve(sends(OK, b"X: y\r\n" * 97, b"Content-Length: 0\r\n\r\n"))
    assert fetching.fetch(server.url()).error is None


@pytest.mark.parametrize(
    ("behave", "most"),
    [
        (sends_for_ever(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"), 1_000_000),
        (sends_for_ever(OK + b"\r\n", b"x" * 65536), 1_000_000),
        (sends_and_hangs(OK, b"Content-Length: 999999999999\r\n\r\n"), 0),
    ],
    ids=["endless chunks", "endless body", "announced"],
)
def test_a_body_is_cut_at_its_bound(fetching, serve, behave, most):
    server = serve(behave)
    tracemalloc.start()
    try:
        response = fetching.fetch(server.url(), limits=FetchLimits(max_body=1_000_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert response.error is ErrorKind.BODY_TOO_LARGE
    assert response.received <= most
    assert response.raw == b""
    assert peak < 4 * MIB


def test_a_body_of_exactly_the_bound_is_whole(fetching, serve):
    server = serve(lambda exchange: exchange.respond(b"x" * 1000))
    assert len(fetching.fetch(server.url(), limits=FetchLimits(max_body=1000)).raw) == 1000
    response = fetching.fetch(server.url(), limits=FetchLimits(max_body=999))
    assert response.error is ErrorKind.BODY_TOO_LARGE


@pytest.mark.parametrize(
    ("encoding", "body", "kind"),
    [
        ("gzip", gzip.compress(bytes(50 * MIB)), ErrorKind.DECODED_TOO_LARGE),
        ("br", brotli.compress(bytes(50 * MIB), quality=1), ErrorKind.DECODED_TOO_LARGE),
        ("gzip, gzip, gzip", b"x", ErrorKind.DECODE),
        ("gzip", b"broken", ErrorKind.DECODE),
    ],
)
def test_the_engine_leaves_the_encoding_to_be_undone_within_bounds(
    fetching, serve, encoding, body, kind
):
    server = serve(lambda exchange: exchange.respond(body, 200, f"Content-Encoding: {encoding}"))
    response = fetching.fetch(server.url())
    assert (response.error, response.raw) == (None, body)
    with pytest.raises(BodyError) as caught:
        decode(response.raw, response.headers, FetchLimits())
    assert caught.value.kind is kind


def test_a_closed_port_refuses(fetching):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    response = fetching.fetch(f"http://127.0.0.1:{port}/")
    assert (response.error, response.status, response.headers) == (ErrorKind.CONNECT, None, [])


def test_a_name_that_does_not_exist_is_not_found(fetching):
    # Reserved for this by RFC 6761, so no resolver is asked.
    assert fetching.fetch("http://nowhere.invalid/").error is ErrorKind.DNS


def test_a_host_that_never_accepts_runs_into_the_connect_timeout(fetching):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        response = fetching.fetch(
            f"http://127.0.0.1:{address[1]}/", limits=FetchLimits(connect_timeout=0.3)
        )
        for filler in fillers:
            filler.close()
    assert response.error is ErrorKind.CONNECT_TIMEOUT
    assert response.timings.total < 5


def test_a_handshake_that_hangs_runs_into_the_connect_timeout(fetching, serve):
    server = serve(lambda exchange: exchange.hang())
    url = server.url().replace("http:", "https:")
    response = fetching.fetch(url, limits=FetchLimits(connect_timeout=0.3))
    assert response.error is ErrorKind.CONNECT_TIMEOUT


@pytest.mark.parametrize(
    ("behave", "limits", "kind"),
    [
        (sends_and_hangs(b""), {"first_byte_timeout": 0.3}, ErrorKind.FIRST_BYTE_TIMEOUT),
        (sends_and_hangs(b"HTTP/1."), {"first_byte_timeout": 0.3}, ErrorKind.FIRST_BYTE_TIMEOUT),
        (
            sends_and_hangs(OK, b"Content-Length: 9\r\n\r\nx"),
            {"total_timeout": 0.3},
            ErrorKind.TOTAL_TIMEOUT,
        ),
        (drips(OK + b"\r\n", b"x"), {"total_timeout": 0.3, "min_rate": 0}, ErrorKind.TOTAL_TIMEOUT),
        (drips(OK, b"X: y\r\n"), {"min_rate_window": 0.3}, ErrorKind.TOO_SLOW),
        (drips(OK + b"\r\n", b"x"), {"min_rate_window": 0.3}, ErrorKind.TOO_SLOW),
        (
            sends_and_hangs(OK, b"Content-Length: 99999\r\n\r\n" + b"x" * 9999),
            {"min_rate_window": 0.3},
            ErrorKind.TOO_SLOW,
        ),
    ],
)
def test_a_server_that_takes_its_time_runs_into_the_limit_it_breaks(
    fetching, serve, behave, limits, kind
):
    response = fetching.fetch(serve(behave).url(), limits=FetchLimits(**limits))
    assert response.error is kind
    assert response.timings.total < 5


def test_a_slow_body_above_the_minimum_rate_is_waited_for(fetching, serve):
    def drip(exchange):
        exchange.send(OK, b"Content-Length: 60\r\n\r\n")
        for _ in range(60):
            exchange.server.closing.wait(0.02)
            exchange.send(b"x")

    # A busy machine may keep the server waiting for nearly the whole window.
    limits = FetchLimits(min_rate=1.0, min_rate_window=1.0)
    assert fetching.fetch(serve(drip).url(), limits=limits).error is None


def test_an_untrusted_certificate_is_refused_unless_asked_not_to_look(fetching, serve, certificate):
    server = serve(status(200), tls=certificate.context)
    response = fetching.fetch(server.url())
    assert response.error is ErrorKind.TLS
    assert server.requests == []
    assert fetching.fetch(server.url(), verify_tls=False).error is None
    assert fetching.fetch(server.url()).error is ErrorKind.TLS, "the next one must look again"


def test_a_certificate_for_another_name_is_refused(start, serve, certificate):
    fetching = start(ca_file=certificate.path)
    server = serve(status(200), tls=certificate.context, host="127.0.0.2")
    assert fetching.fetch(server.url()).error is ErrorKind.TLS
    trusted = serve(status(200), tls=certificate.context)
    response = fetching.fetch(trusted.url())
    assert response.error is None
    assert response.timings.tls > 0


def test_plain_http_on_a_tls_port_is_a_tls_error(fetching):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        keys = fetching.submit(f"https://127.0.0.1:{listener.getsockname()[1]}/")
        sock, _ = listener.accept()
        with sock:
            sock.recv(9999)
            sock.sendall(b"HTTP/1.1 400 Bad\r\n\r\n")
            assert fetching.wait(keys)[0].error is ErrorKind.TLS


def test_a_redirect_loop_ends_after_its_bound(fetching, serve):
    server = serve(lambda exchange: exchange.respond(b"", 302, "Location: /again"))
    response = fetching.fetch(server.url(), limits=FetchLimits(max_redirects=3))
    assert response.error is ErrorKind.TOO_MANY_REDIRECTS
    assert len(response.redirects) == 3
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://h/", "http://u:p@h/", "http://h:22/", "http://["]
)
def test_a_redirect_to_what_is_no_allowed_url_ends_there(fetching, serve, location):
    server = serve(lambda exchange: exchange.respond(b"", 302, f"Location: {location}"))
    response = fetching.fetch(server.url(), ports={80, server.port})
    assert (response.error, response.status) == (ErrorKind.URL_DENIED, 302)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "dict://127.0.0.1:80/"])
def test_another_scheme_is_refused_even_if_nobody_checked_it_before(fetching, url):
    response = fetching.fetch(url)
    assert (response.error, response.raw) == (ErrorKind.URL_DENIED, b"")


def test_secrets_and_bodies_do_not_follow_a_redirect_elsewhere(fetching, serve):
    target = serve(status(200), host="127.0.0.2")
    source = serve(lambda exchange: exchange.respond(b"", 303, f"Location: {target.url()}"))
    headers = (("Authorization", "Bearer secret"), ("X-Kept", "1"))
    response = fetching.fetch(source.url(), method="POST", body=b"x", headers=headers)
    assert response.error is None
    head = target.requests[0]
    assert head.startswith(b"GET ")
    assert b"X-Kept" in head
    assert b"secret" not in head


def test_running_out_of_descriptors_is_our_own_fault(fetching, serve, monkeypatch):
    def full(*args):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("hashworld.fetcher.transfer._Socket", full)
    response = fetching.fetch(serve(status(200)).url())
    assert response.error is ErrorKind.INTERNAL
    assert "Too many open files" in response.detail
