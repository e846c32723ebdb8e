"""Tickets: Django's side and the chatroom's."""

import pytest

from chatroom.core.errors import BadTicket
from chatroom.core.tickets import LEEWAY, verify
from hashworld.api import tickets

KEY = "a key that nobody knows"
NOW = 1_800_000_000.0


def signed(key: str = KEY, now: float = NOW) -> str:
    return tickets.sign(
        key, now, id=7, name="ada", groups=["operator"], superuser=False, token="hw_x"
    )


def test_what_django_signs_the_chatroom_reads():
    claims = verify(signed(), KEY, NOW)
    assert (claims.id, claims.name, claims.groups) == (7, "ada", ("operator",))
    assert (claims.token, claims.superuser, claims.session) == ("hw_x", False, tickets.SESSION)
    assert claims.jti != verify(signed(), KEY, NOW).jti


@pytest.mark.parametrize("later", [tickets.LASTS + LEEWAY + 1, -LEEWAY - 1])
def test_a_ticket_is_of_no_use_after_its_time_nor_before(later: float):
    with pytest.raises(BadTicket, match=r"expired|future"):
        verify(signed(), KEY, NOW + later)
    verify(signed(), KEY, NOW + tickets.LASTS)


def test_a_ticket_signed_by_another_is_refused():
    with pytest.raises(BadTicket, match="signature"):
        verify(signed("another key"), KEY, NOW)


def test_no_claim_can_be_changed():
    payload, _, signature = signed().partition(".")
    other = tickets._encoded(b"x").join([payload[:10], payload[12:]])
    with pytest.raises(BadTicket):
        verify(f"{other}.{signature}", KEY, NOW)
    with pytest.raises(BadTicket, match="signature"):
        verify(f"{signed().partition('.')[0]}.{signature}", KEY, NOW)


def test_a_ticket_that_grants_itself_more_than_a_minute_is_refused(monkeypatch):
    monkeypatch.setattr(tickets, "LASTS", 3600)
    with pytest.raises(BadTicket, match="expired"):
        verify(signed(), KEY, NOW)


@pytest.mark.parametrize("text", ["", ".", "a.b", "é.é", "e30.e30", "x" * 9000])
def test_what_is_no_ticket_is_refused(text: str):
    with pytest.raises(BadTicket):
        verify(text, KEY, NOW)


def test_the_derived_key_is_not_the_secret_key():
    assert tickets.derived_key("a") != tickets.derived_key("b")
    assert "a" * 30 not in tickets.derived_key("a" * 30)
