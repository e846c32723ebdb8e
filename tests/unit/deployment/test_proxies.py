"""Whose request it is, behind proxies that are trusted and that are not."""

import dataclasses
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.checks import run_checks
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from hashworld.proxies import ClientAddressMiddleware, client_address

TRUSTED = (ip_network("172.16.0.0/12"), ip_network("fd00::/8"))


@pytest.mark.parametrize("peer", ["172.18.0.5", "fd00::5"])
def test_a_trusted_proxy_says_who_asks(peer: str) -> None:
    assert client_address(peer, "203.0.113.9", TRUSTED) == "203.0.113.9"


@pytest.mark.parametrize("peer", ["198.51.100.4", "2001:db8::1", ""])
def test_nobody_else_is_believed(peer: str) -> None:
    assert client_address(peer, "203.0.113.9", TRUSTED) == peer


def test_only_the_last_address_is_the_proxys_own_word() -> None:
    assert client_address("172.18.0.5", "192.0.2.1, 203.0.113.9", TRUSTED) == "203.0.113.9"


def test_a_client_in_the_proxys_network_is_itself_all_the_same() -> None:
    assert client_address("172.18.0.5", "192.0.2.1, 172.18.0.1", TRUSTED) == "172.18.0.1"


@pytest.mark.parametrize("forwarded", ["", "unknown", "203.0.113.9:443", "a, "])
def test_what_is_no_address_changes_nothing(forwarded: str) -> None:
    assert client_address("172.18.0.5", forwarded, TRUSTED) == "172.18.0.5"


def test_what_comes_after_sees_the_client(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["172.16.0.0/12"]
    seen: list[str] = []

    def answer(request: HttpRequest) -> HttpResponse:
        seen.append(request.META["REMOTE_ADDR"])
        return HttpResponse()

    for peer in ("172.18.0.5", "198.51.100.4"):
        request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR="203.0.113.9")
        ClientAddressMiddleware(answer)(request)
    assert seen == ["203.0.113.9", "198.51.100.4"]


def test_it_comes_before_whoever_looks_at_the_address(settings: Any) -> None:
    assert settings.MIDDLEWARE[0] == "hashworld.proxies.ClientAddressMiddleware"


def test_a_network_that_is_none_is_told(settings: Any) -> None:
    settings.ENV = dataclasses.replace(settings.ENV, trusted_proxies=["nginx"])
    assert "DJANGO_TRUSTED_PROXIES" in [
        error.msg.partition(":")[0] for error in run_checks() if error.id == "hashworld.E002"
    ]
