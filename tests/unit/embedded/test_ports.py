"""Which ports are free."""

import socket

import pytest

from hashworld.embedded import ports


def test_a_port_in_use_is_one_line_that_names_the_variable():
    with socket.create_server(("127.0.0.1", 0)) as server:
        bind = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ports.AddressUnusable) as caught:
            ports.require_free(bind, "HASHWORLD_WEB_BIND")
    assert str(caught.value) == f"{bind} is in use: set HASHWORLD_WEB_BIND to another address"


def test_a_free_port_passes():
    ports.require_free(f"127.0.0.1:{ports.find_free()}", "HASHWORLD_WEB_BIND")


@pytest.mark.parametrize(
    "bind", ["8000", "localhost:", ":8000", "localhost:http", "localhost:99999"]
)
def test_nonsense_is_told(bind):
    with pytest.raises(ports.AddressUnusable, match=r"is not of the form host:port"):
        ports.require_free(bind, "HASHWORLD_WEB_BIND")


def test_an_address_of_another_machine_is_told():
    with pytest.raises(ports.AddressUnusable, match=r"cannot be used"):
        ports.require_free("192.0.2.1:8000", "HASHWORLD_WEB_BIND")


def test_a_port_is_free_on_all_hosts():
    hosts = ["127.0.0.2", "127.0.0.3"]
    port = ports.find_free(hosts)
    for host in hosts:
        socket.create_server((host, port)).close()
