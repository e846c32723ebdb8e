import pytest

from hashworld.fetcher.errors import InvalidURL
from hashworld.fetcher.exchange import Request
from hashworld.fetcher.redirect import follow

SECRET = (("Authorization", "Bearer x"), ("Cookie", "a=b"), ("X-Mine", "1"))


def hop(url="https://a.example/", **options):
    return Request(1, url, "a.example", **options)


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (302, "PUT", "PUT"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
    ],
)
def test_the_method_changes_as_rfc_9110_says(status, method, then):
    headers = (("Content-Type", "text/plain"), ("Accept", "*/*"))
    target = follow(hop(method=method, body=b"x", headers=headers), status, "/next")
    kept = then == method
    assert target.method == then
    assert target.body == (b"x" if kept else None)
    assert target.headers == (headers if kept else headers[1:])


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("/other", SECRET),
        ("https://a.example:443/", SECRET),
        ("https://b.example/", SECRET[2:]),
        ("https://a.example:8443/", SECRET[2:]),
    ],
)
def test_secrets_stay_within_their_origin(location, kept):
    assert follow(hop(headers=SECRET), 302, location).headers == kept


def test_secrets_do_not_cross_from_http_to_https():
    request = hop("http://a.example/", headers=SECRET)
    assert follow(request, 302, "https://a.example/").headers == SECRET[2:]


def test_a_step_from_https_down_to_http_is_refused():
    with pytest.raises(InvalidURL, match="from https to http"):
        follow(hop(), 302, "http://a.example/")


def test_the_next_hop_counts_on_the_host_it_goes_to():
    target = follow(hop(), 302, "//B.example/x")
    assert (target.url, target.host) == ("https://b.example/x", "b.example")


def test_a_location_in_utf_8_is_read_as_such():
    location = "/ü".encode().decode("latin-1")
    assert follow(hop(), 302, location).url == "https://a.example/%C3%BC"
