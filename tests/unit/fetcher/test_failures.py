import pycurl
import pytest

from hashworld.fetcher.errors import ErrorKind
from hashworld.fetcher.failures import kind_of


def test_an_unexpected_code_is_a_fault_of_our_own():
    assert kind_of(pycurl.E_LDAP_SEARCH_FAILED, "what is this") is ErrorKind.INTERNAL


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Recv failure: Connection reset by peer", ErrorKind.RESET),
        ("chunk hex-length char not a hex digit: 0x7a", ErrorKind.PROTOCOL),
    ],
)
def test_a_broken_connection_and_a_broken_chunk_share_a_code_and_are_told_apart(message, kind):
    assert kind_of(pycurl.E_RECV_ERROR, message) is kind
