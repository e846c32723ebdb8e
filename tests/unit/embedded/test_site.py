"""The demo's web site, asked over real connections."""

import asyncio
import gzip
import http.client
import re
import socket
import threading
from collections.abc import Callable, Iterator

import brotli
import pytest

from hashworld.embedded import pages, ports, site

Get = Callable[..., tuple[http.client.HTTPResponse, bytes]]
HOST = pages.HOSTS[0]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    number = ports.find_free(pages.HOSTS)
    loop = asyncio.new_event_loop()
    ready, done = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with site.Site().serve(pages.HOSTS, number):
            ready.set()
            await done.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    yield number
    loop.call_soon_threadsafe(done.set)
    thread.join()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture
def get(port: int) -> Get:
    def ask(path: str, host: str = HOST) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(host, port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    return ask


def test_pages_are_distinct_and_large_and_have_a_title(get: Get):
    bodies = {get(f"/page/{number}", host)[1] for number in (1, 2) for host in pages.HOSTS}
    assert len(bodies) == 2 * len(pages.HOSTS)
    assert all(15_000 < len(body) < 30_000 for body in bodies)
    assert b"<title>Page 7 of 127.0.0.2</title>" in get("/page/7")[1]


def test_one_connection_serves_many_pages(port: int):
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    for number in range(3):
        connection.request("GET", f"/page/{number}")
        assert f"Page {number} of".encode() in connection.getresponse().read()
    connection.close()


def test_redirects_lead_over_one_hop_to_another_host(get: Get, port: int):
    first, _ = get("/redirect/5")
    assert (first.status, first.headers["Location"]) == (301, "/redirect/5?again")
    second, _ = get("/redirect/5?again")
    assert second.headers["Location"] == f"http://{pages.HOSTS[1]}:{port}/page/5"


@pytest.mark.parametrize(
    ("name", "decode"), [("gzip", gzip.decompress), ("brotli", brotli.decompress)]
)
def test_encoded_pages_decode_to_the_page(get: Get, name, decode):
    assert b"<title>Page 3 of" in decode(get(f"/{name}/3")[1])


@pytest.mark.parametrize(
    ("name", "charset"),
    [("shift-jis", "shift_jis"), ("windows-1251", "windows-1251"), ("utf-16", "utf-16")],
)
def test_odd_charsets_carry_the_title(get: Get, name, charset):
    title = re.search("<title>(.*)</title>", get(f"/{name}/1")[1].decode(charset))
    assert title is not None
    assert title[1] == pages.KINDS[name].title


@pytest.mark.parametrize(("name", "status"), [("error-once", 500), ("busy-once", 429)])
def test_some_pages_heal_at_the_second_try_each_by_itself(get: Get, name, status):
    assert [get(f"/{name}/1")[0].status for _ in range(3)] == [status, 200, 200]
    assert get(f"/{name}/2")[0].status == status


def test_the_busy_page_says_when_to_come_again(get: Get):
    assert get("/busy-once/9")[0].headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/not-found/1", 404), ("/forbidden/1", 403), ("/", 404), ("/robots.txt", 404)],
)
def test_what_is_not_there_says_so(get: Get, path, status):
    assert get(path)[0].status == status


def test_the_reset_page_breaks_off_in_the_middle(get: Get):
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        get("/reset/1")


def test_the_private_page_redirects_to_a_private_address(get: Get, port: int):
    assert get("/private/1")[0].headers["Location"] == f"http://{pages.PRIVATE_HOST}:{port}/"


def test_the_bomb_is_small(get: Get):
    response, body = get("/bomb/1")
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(body) < site.BOMB_BYTES / 500


def test_the_hanging_page_says_nothing(port: int):
    with socket.create_connection((HOST, port)) as connection:
        connection.settimeout(0.2)
        connection.sendall(b"GET /hang/1 HTTP/1.1\r\n\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_the_endless_page_goes_on_for_as_long_as_it_is_read(port: int):
    with socket.create_connection((HOST, port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"GET /endless/1 HTTP/1.1\r\n\r\n")
        received = 0
        while received < 5_000_000:
            received += len(connection.recv(65536))
