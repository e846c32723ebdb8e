import pytest

from hashworld.fetcher.errors import ErrorKind, status_error

FINAL = {
    ErrorKind.TLS,
    ErrorKind.PROTOCOL,
    ErrorKind.ADDRESS_DENIED,
    ErrorKind.URL_DENIED,
    ErrorKind.TOO_MANY_REDIRECTS,
    ErrorKind.HEADERS_TOO_LARGE,
    ErrorKind.BODY_TOO_LARGE,
    ErrorKind.DECODED_TOO_LARGE,
    ErrorKind.DECODE,
    ErrorKind.CLIENT_ERROR,
    ErrorKind.CANCELLED,
}


def test_another_try_is_worth_it_for_everything_that_may_pass():
    assert {kind for kind in ErrorKind if not kind.retryable} == FINAL


def test_the_stored_value_is_the_name_in_lower_case():
    assert all(kind.value == kind.name.lower() for kind in ErrorKind)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (204, None),
        (299, None),
        (101, ErrorKind.PROTOCOL),
        (300, ErrorKind.CLIENT_ERROR),
        (304, ErrorKind.CLIENT_ERROR),
        (404, ErrorKind.CLIENT_ERROR),
        (408, ErrorKind.SERVER_ERROR),
        (425, ErrorKind.SERVER_ERROR),
        (429, ErrorKind.RATE_LIMITED),
        (500, ErrorKind.SERVER_ERROR),
        (599, ErrorKind.SERVER_ERROR),
        (600, ErrorKind.PROTOCOL),
    ],
)
def test_a_status_is_an_error_of_its_class(status, kind):
    assert status_error(status) is kind
