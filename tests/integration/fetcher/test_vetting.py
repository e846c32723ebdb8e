"""No connection is ever opened to an address that the policy refuses."""

import socket

import pytest

from hashworld.fetcher import AddressPolicy, ErrorKind

# Every way to write 127.0.0.1 that some resolver takes for it.
SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0177.0.0.01",
    "0x7f.0.0.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "127.0.0.1.",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "any.localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "0",
    "0.0.0.0",
    "[::]",
]
# What the name of this machine resolves to is an address of its own too.
NAMES = [socket.gethostname()]


@pytest.fixture
def public(start):
    """An engine with the policy as it comes."""
    return start(policy=AddressPolicy())


@pytest.fixture
def trap(serve):
    """A server on every address of this machine that must never be reached."""
    return serve(lambda exchange: exchange.respond(b"secret"), host="0.0.0.0")


@pytest.mark.parametrize("host", SPELLINGS + NAMES)
def test_a_refused_address_is_never_connected_to_however_it_is_written(public, trap, host):
    response = public.fetch(trap.url(host=host))
    # A spelling that libcurl itself cannot resolve is as good as refused.
    assert response.error in (ErrorKind.ADDRESS_DENIED, ErrorKind.DNS, ErrorKind.URL_DENIED)
    assert trap.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "localhost", "[::1]", "0"])
def test_a_refusal_says_so_and_is_not_mistaken_for_a_closed_port(public, trap, host):
    response = public.fetch(trap.url(host=host))
    assert response.error is ErrorKind.ADDRESS_DENIED
    assert "is not allowed: in " in response.detail


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "localhost", "[::1]"])
def test_every_hop_is_vetted(start, serve, trap, host):
    fetching = start(policy=AddressPolicy(allow=("127.0.0.2/32",)))
    source = serve(
        lambda exchange: exchange.respond(b"", 302, f"Location: {trap.url(host=host)}"),
        host="127.0.0.2",
    )
    response = fetching.fetch(source.url())
    assert response.error is ErrorKind.ADDRESS_DENIED
    assert response.redirects == [(302, source.url())]
    assert trap.connections == 0


def test_a_denied_network_wins_over_an_allowed_one(start, trap):
    policy = AddressPolicy(allow=("127.0.0.0/8",), deny=("127.0.0.1/32",))
    fetching = start(policy=policy)
    assert fetching.fetch(trap.url(host="127.0.0.1")).error is ErrorKind.ADDRESS_DENIED
    assert trap.connections == 0
    assert fetching.fetch(trap.url(host="127.0.0.2")).error is None


def test_of_several_addresses_only_an_allowed_one_is_used(start, trap):
    fetching = start(policy=AddressPolicy(allow=("127.0.0.0/8",)))
    response = fetching.fetch(trap.url(host="localhost"))  # ::1 is asked for first, and refused
    assert (response.error, response.ip) == (None, "127.0.0.1")


def test_the_address_reported_is_the_one_connected_to(fetching, trap):
    assert fetching.fetch(trap.url(host="127.0.0.3")).ip == "127.0.0.3"


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy", "ALL_PROXY"])
def test_proxies_of_the_environment_are_not_used(start, serve, trap, monkeypatch, name):
    monkeypatch.setenv(name, trap.url(host="127.0.0.1"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server = serve(lambda exchange: exchange.respond(b"direct"), host="127.0.0.2")
    fetching = start()
    assert fetching.fetch(server.url()).raw == b"direct"
    assert trap.connections == 0


def test_no_netrc_is_read(start, serve, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("default login someone password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    server = serve(lambda exchange: exchange.respond(b"ok"))
    start().fetch(server.url())
    assert b"Authorization" not in server.requests[0]


def test_no_cookie_is_kept(fetching, serve):
    server = serve(lambda exchange: exchange.respond(b"ok", 200, "Set-Cookie: a=b; Path=/"))
    fetching.fetch(server.url())
    fetching.fetch(server.url())
    assert not any(b"Cookie" in head for head in server.requests)
