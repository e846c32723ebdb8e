"""The loop: order, limits, cancelling, stopping."""

import threading
import time
import tracemalloc

import pytest

from hashworld.fetcher import (
    AddressPolicy,
    Engine,
    EngineStopped,
    ErrorKind,
    FetchLimits,
    HostLimits,
    Request,
)


def say_ok(exchange):
    exchange.respond(b"ok", 200, "Content-Type: text/plain", "X: 1")


def hang(exchange):
    exchange.hang()


def hang_or_ok(exchange):
    if exchange.path == "/hang":
        exchange.hang()
    else:
        exchange.respond(b"ok")


def linger(exchange):
    exchange.server.closing.wait(0.005)
    exchange.respond(b"ok")


def test_a_response_carries_all_that_was_received(fetching, serve):
    server = serve(say_ok)
    response = fetching.fetch(server.url("/a?b"))
    assert (response.status, response.raw, response.error) == (200, b"ok", None)
    assert response.headers == [
        ("Content-Length", "2"),
        ("Content-Type", "text/plain"),
        ("X", "1"),
    ]
    assert response.url == server.url("/a?b")
    assert (response.ip, response.received, response.redirects) == ("127.0.0.1", 2, [])
    assert response.timings.total >= response.timings.first_byte > 0
    assert response.timings.connect is not None
    assert response.timings.tls is None


def test_a_request_says_who_it_is_and_nothing_of_its_surroundings(fetching, serve):
    server = serve(say_ok)
    fetching.fetch(server.url("/a/../b?q"))
    head = server.requests[0].decode()
    assert head.splitlines()[0] == "GET /a/../b?q HTTP/1.1"
    assert sorted(head.splitlines()[1:]) == [
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept: */*",
        f"Host: 127.0.0.1:{server.port}",
        "User-Agent: HashWorld-test/1",
    ]


def test_method_headers_and_body_are_sent_and_forgotten(start, serve):
    bodies = []

    def read(exchange):
        bodies.append(exchange.body)
        exchange.respond(b"" if exchange.head.startswith(b"HEAD") else b"ok")

    fetching, server = start(capacity=1), serve(read)
    headers = (("X-Empty", ""), ("accept-encoding", "br"), ("Content-Type", "text/plain"))
    post = fetching.fetch(server.url(), method="POST", headers=headers, body=b"a\0b")
    put = fetching.fetch(server.url(), method="PUT", body=b"c")
    head = fetching.fetch(server.url(), method="HEAD")
    delete = fetching.fetch(server.url(), method="DELETE")
    get = fetching.fetch(server.url())
    assert not any(each.error for each in (post, put, head, delete, get))
    assert bodies == [b"a\0b", b"c", b"", b"", b""]
    lines = [request.decode().splitlines() for request in server.requests]
    assert [line[0].split()[0] for line in lines] == ["POST", "PUT", "HEAD", "DELETE", "GET"]
    assert {"X-Empty:", "accept-encoding: br", "Content-Type: text/plain"} <= set(lines[0])
    assert not any(line.lower().startswith(("expect", "content-type")) for line in lines[1])
    assert len(lines[4]) == 5


def test_a_large_length_is_no_error_where_no_body_comes(fetching, serve):
    server = serve(
        lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    )
    limits = FetchLimits(max_body=100)
    assert fetching.fetch(server.url(), method="HEAD", limits=limits).error is None
    assert fetching.fetch(server.url(), limits=limits).error is ErrorKind.BODY_TOO_LARGE


def test_connections_are_kept_and_used_again(start, serve):
    fetching, server = start(capacity=4), serve(say_ok)
    responses = fetching.wait(fetching.submit(*[server.url()] * 50))
    assert all(response.error is None for response in responses)
    assert server.connections <= 4
    assert responses[-1].timings.connect is None


def test_a_kept_connection_that_the_server_has_closed_is_replaced(start, serve):
    def close_unannounced(exchange):
        exchange.respond(b"ok")
        exchange.keep_alive = False

    fetching, server = start(capacity=4), serve(close_unannounced)
    responses = fetching.wait(fetching.submit(*[server.url()] * 50))
    assert {response.error for response in responses} == {None}
    assert server.connections == 50


def test_no_host_gets_more_connections_than_its_limit_while_hundreds_wait(start, serve):
    fetching = start(capacity=100)
    servers = [serve(linger, host=f"127.0.0.{number}") for number in (1, 2, 3)]
    keys = []
    for number in range(200):
        server = servers[number % 3]
        limits = HostLimits(max_connections=2 + number % 3)
        keys += fetching.submit(server.url(), host=server.host, host_limits=limits)
    assert all(response.error is None for response in fetching.wait(keys))
    assert [server.most_at_once for server in servers] == [2, 3, 4]


def test_the_node_never_has_more_in_flight_than_its_capacity(start, serve):
    fetching, server = start(capacity=3), serve(linger)
    keys = fetching.submit(*[server.url()] * 60, host_limits=HostLimits(max_connections=50))
    fetching.wait(keys)
    assert server.most_at_once == 3


def test_starts_on_one_host_keep_their_interval(fetching, serve):
    server = serve(say_ok)
    limits = HostLimits(max_connections=4, min_interval=0.1)
    fetching.wait(fetching.submit(*[server.url()] * 5, host_limits=limits))
    gaps = [
        later - earlier for earlier, later in zip(server.starts, server.starts[1:], strict=False)
    ]
    # The server sees a start a little after it was made; the sum cannot be early.
    assert server.starts[-1] - server.starts[0] > 0.38
    assert min(gaps) > 0.05


def test_a_hop_of_a_redirect_counts_on_the_host_it_goes_to(fetching, serve):
    target = serve(linger, host="127.0.0.9")

    def send_on(exchange):
        exchange.respond(b"", 302, f"Location: {target.url()}")

    keys = []
    for number in range(2, 7):
        source = serve(send_on, host=f"127.0.0.{number}")
        limits = HostLimits(max_connections=3)
        keys += fetching.submit(*[source.url()] * 10, host=source.host, host_limits=limits)
    responses = fetching.wait(keys)
    assert {response.url for response in responses} == {target.url()}
    assert {response.error for response in responses} == {None}
    assert target.most_at_once == 3


def test_hanging_hosts_delay_nobody(start, serve):
    fetching = start(capacity=8)
    hanging, server = serve(hang), serve(say_ok)
    stuck = fetching.submit(
        *[hanging.url()] * 50, host="stuck", host_limits=HostLimits(max_connections=4)
    )
    done = fetching.wait(fetching.submit(*[server.url()] * 200, host="brisk"))
    assert all(response.error is None for response in done)
    assert not fetching.responses.keys() & set(stuck)
    assert (fetching.engine.in_flight, fetching.engine.waiting) == (4, 46)


def test_a_redirect_to_a_hanging_host_takes_no_room_while_it_waits(start, serve):
    fetching = start(capacity=4)
    hanging, server = serve(hang, host="127.0.0.2"), serve(say_ok)
    source = serve(lambda exchange: exchange.respond(b"", 302, f"Location: {hanging.url()}"))
    one = HostLimits(max_connections=1)
    fetching.submit(*[source.url()] * 10, host=source.host, host_limits=one)
    done = fetching.wait(fetching.submit(*[server.url()] * 50, host="brisk"))
    assert all(response.error is None for response in done)


def test_waiting_for_the_next_hop_counts_against_the_total(start, serve):
    fetching = start(capacity=4)
    hanging = serve(hang, host="127.0.0.2")
    source = serve(lambda exchange: exchange.respond(b"", 302, f"Location: {hanging.url()}"))
    one = HostLimits(max_connections=1)
    fetching.submit(hanging.url(), host=hanging.host, host_limits=one)
    response = fetching.fetch(
        source.url(), host=source.host, host_limits=one, limits=FetchLimits(total_timeout=0.3)
    )
    assert response.error is ErrorKind.TOTAL_TIMEOUT
    assert response.redirects == [(302, source.url())]
    assert response.timings.total < 5


def test_a_hanging_fetch_is_cancelled_at_once(fetching, serve, wait_until):
    server = serve(hang)
    keys = fetching.submit(server.url())
    wait_until(lambda: server.requests)
    fetching.engine.cancel(keys)
    response = fetching.wait(keys, timeout=10)[0]
    assert response.error is ErrorKind.CANCELLED
    assert fetching.engine.in_flight == 0


def test_waiting_requests_are_cancelled_without_ever_starting(fetching, serve, one_at_a_time):
    server = serve(hang_or_ok)
    first = fetching.submit(server.url("/hang"), host_limits=one_at_a_time)
    rest = fetching.submit(*[server.url("/ok")] * 20, host_limits=one_at_a_time)
    fetching.engine.cancel(rest[:10])
    cancelled = fetching.wait(rest[:10], timeout=10)
    assert {response.error for response in cancelled} == {ErrorKind.CANCELLED}
    assert {response.timings.total for response in cancelled} == {None}
    fetching.engine.cancel(first)
    assert {response.error for response in fetching.wait(rest[10:])} == {None}
    assert sum(b"/ok" in head for head in server.requests) == 10


def test_an_unknown_key_is_cancelled_without_a_word(fetching, serve):
    fetching.engine.cancel([999])
    assert fetching.fetch(serve(say_ok).url()).error is None
    assert 999 not in fetching.responses


def test_a_handle_taken_from_a_cancelled_fetch_carries_the_next(start, serve, wait_until):
    fetching, server = start(capacity=1), serve(hang_or_ok)
    keys = fetching.submit(server.url("/hang"), method="POST", body=b"x")
    wait_until(lambda: server.requests)
    fetching.engine.cancel(keys)
    assert fetching.fetch(server.url("/ok")).raw == b"ok"


def test_stop_reports_all_that_is_left_as_cancelled(start, serve, wait_until):
    fetching, server = start(capacity=2), serve(hang)
    keys = fetching.submit(*[server.url()] * 30)
    wait_until(lambda: len(server.requests) == 2)
    assert fetching.engine.stop(5)
    assert fetching.engine.stop(5), "a second stop must be harmless"
    assert {response.error for response in fetching.wait(keys, 0)} == {ErrorKind.CANCELLED}
    assert (fetching.engine.in_flight, fetching.engine.waiting) == (0, 0)
    with pytest.raises(EngineStopped):
        fetching.submit(server.url())
    with pytest.raises(EngineStopped):
        fetching.engine.cancel([1])


def test_an_engine_that_never_started_gives_back_what_it_was_handed():
    responses = []
    engine = Engine(1, AddressPolicy(), responses.extend, "test")
    engine.submit([Request(1, "http://example.com/", "example.com")])
    assert engine.stop(5)
    assert [(each.key, each.error) for each in responses] == [(1, ErrorKind.CANCELLED)]


def test_hold_starts_nothing_more_and_lets_the_rest_end(start, serve, wait_until):
    let_go = threading.Event()

    def step(exchange):
        let_go.wait(20)
        if exchange.path == "/":
            exchange.respond(b"", 302, "Location: /end")
        else:
            exchange.respond(b"ok")

    fetching, server = start(capacity=2), serve(step)
    keys = fetching.submit(*[server.url()] * 10)
    wait_until(lambda: len(server.requests) == 2)
    fetching.engine.hold()
    assert {each.error for each in fetching.wait(keys[2:])} == {ErrorKind.CANCELLED}
    assert fetching.fetch(server.url()).error is ErrorKind.CANCELLED
    let_go.set()
    assert [each.raw for each in fetching.wait(keys[:2])] == [b"ok", b"ok"]
    fetching.engine.go_on()
    assert fetching.fetch(server.url()).raw == b"ok"


def test_its_capacity_can_be_changed_while_it_runs(start, serve, wait_until):
    fetching, server = start(capacity=1), serve(hang)
    fetching.submit(*[server.url(f"/{number}") for number in range(4)])
    wait_until(lambda: len(server.requests) == 1)
    fetching.engine.resize(3)
    wait_until(lambda: fetching.engine.in_flight == 3)
    fetching.engine.resize(1)
    assert fetching.engine.in_flight == 3, "what is in flight goes on"
    assert fetching.engine.waiting == 1
    with pytest.raises(ValueError, match="at least 1"):
        fetching.engine.resize(0)


def test_a_loop_that_breaks_reports_everything_and_takes_no_more(start, serve, monkeypatch, caplog):
    fetching, server = start(capacity=2), serve(hang)

    def broken(*args):
        raise RuntimeError("a bug")

    monkeypatch.setattr("hashworld.fetcher.engine.Schedule.pop", broken)
    keys = fetching.submit(*[server.url()] * 5)
    assert {response.error for response in fetching.wait(keys)} == {ErrorKind.INTERNAL}
    assert "a bug" in caplog.text
    with pytest.raises(EngineStopped):
        fetching.submit(server.url())


def test_no_body_is_kept_by_the_handle_that_carried_it(start, serve):
    body = b"x" * 4_000_000
    fetching, server = start(capacity=1), serve(lambda exchange: exchange.respond(body))
    tracemalloc.start()
    try:
        assert fetching.fetch(server.url()).received == len(body)
        fetching.responses.clear()
        assert tracemalloc.get_traced_memory()[0] < len(body)
    finally:
        tracemalloc.stop()


def test_a_key_that_is_in_the_engine_already_is_refused(fetching, serve, wait_until):
    server = serve(hang)
    key = fetching.submit(server.url())[0]
    wait_until(lambda: server.requests)
    request = Request(key, server.url(), "host")
    fetching.engine.submit([request])
    assert fetching.wait([key])[0].error is ErrorKind.INTERNAL
    fetching.responses.clear()
    fetching.engine.cancel([key])
    assert fetching.wait([key])[0].error is ErrorKind.CANCELLED


@pytest.mark.parametrize("failures", [1, 2])
def test_a_consumer_that_fails_stops_the_engine_and_is_given_all_once_more(
    serve, caplog, wait_until, failures
):
    calls = []

    def fail(batch):
        calls.append([response.key for response in batch])
        if len(calls) <= failures:
            raise RuntimeError("consumer broke")

    engine = Engine(1, AddressPolicy(allow=("127.0.0.0/8",)), fail, "test")
    engine.start()
    server = serve(say_ok)
    engine.submit([Request(key, server.url(), "h", ports=None) for key in (1, 2)])
    wait_until(lambda: len(calls) == 2)
    assert engine.stop(5)
    assert sorted(calls[1]) == [1, 2]
    assert "consumer broke" in caplog.text
    assert ("responses are lost" in caplog.text) == (failures == 2)
    with pytest.raises(EngineStopped):
        engine.cancel([1])


def test_responses_come_in_batches(fetching, serve):
    server = serve(say_ok)
    fetching.wait(fetching.submit(*[server.url()] * 500))
    assert fetching.batches < 500


def test_any_amount_may_be_submitted_from_many_threads(fetching, serve):
    server = serve(say_ok)
    keys = []

    def submit():
        for _ in range(10):
            keys.extend(fetching.submit(*[server.url()] * 25))

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetching.wait(keys)) == 1000


def test_an_idle_engine_still_ticks(fetching, wait_until):
    before = time.monotonic()
    wait_until(lambda: fetching.engine.ticked_at > before)


def test_a_request_that_cannot_be_started_is_reported_and_harms_no_other(fetching, serve, caplog):
    response = fetching.fetch("http://h/\0")
    assert response.error is ErrorKind.INTERNAL
    assert fetching.fetch(serve(say_ok).url()).error is None


def test_a_capacity_of_nothing_is_refused():
    with pytest.raises(ValueError, match="capacity"):
        Engine(0, AddressPolicy(), print, "test")
