import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashworld.fetcher.errors import InvalidURL
from hashworld.fetcher.url import canonicalise, resolve


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://example.com", "http://example.com/"),
        ("  http://example.com/\r\n", "http://example.com/"),
        ("HTTP://EXAMPLE.com:80/A", "http://example.com/A"),
        ("https://example.com:443/", "https://example.com/"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("http://example.com/a/../b/./c", "http://example.com/b/c"),
        ("http://example.com/p?q=1#part", "http://example.com/p?q=1"),
        ("http://example.com/?b=1&a=2", "http://example.com/?b=1&a=2"),
        ("http://bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://①②⑦.⓪.⓪.①/", "http://127.0.0.1/"),
        ("http://example.com/a\u200cb", "http://example.com/a%E2%80%8Cb"),
    ],
)
def test_a_url_is_normalised_as_browsers_do(text, url):
    assert canonicalise(text).url == url


def test_host_scheme_and_port_are_what_will_be_connected_to():
    url = canonicalise("https://WWW.Example.com/")
    assert (url.scheme, url.host, url.port) == ("https", "www.example.com", 443)
    assert canonicalise("http://[2001:DB8::1]:8080/").host == "[2001:db8::1]"


def test_a_trailing_dot_makes_no_host_of_its_own():
    assert canonicalise("http://example.com./").host == "example.com"


def test_the_key_ignores_the_order_of_query_pairs_and_nothing_else():
    key = canonicalise("http://example.com/?a=1&b=2").key
    assert len(key) == 16
    assert canonicalise("http://example.com:80/?b=2&a=1#x").key == key
    assert canonicalise("http://example.com/?a=2&b=1").key != key
    assert canonicalise("http://example.com/x?a=1&b=2").key != key


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://127.0.0.1\t.evil.example/", "control characters"),
        ("http://example.com/\x00", "control characters"),
        ("http://example.com/a\nb", "control characters"),
        ("http://example.com/\x85", "control characters"),
        ("http://example.com/\ud800", "control characters"),
        ("http://example.com/a b", "whitespace"),
        ("http://example.com/a\u00a0b", "whitespace"),
        ("http://example.com/\u2028", "whitespace"),
        ("http://evil.example\\@127.0.0.1/", "backslash"),
        ("http://user@example.com/", "user name or password"),
        ("http://user:secret@example.com/", "user name or password"),
        ("http://@example.com/", "user name or password"),
        ("http:@example.com/", "user name or password"),
        ("ftp://example.com/", "scheme 'ftp'"),
        ("file:///etc/passwd", "scheme 'file'"),
        ("javascript:alert(1)", "scheme 'javascript'"),
        ("gopher://example.com/", "scheme 'gopher'"),
        ("http://example.com:22/", "port 22"),
        ("http://example.com:0/", "port 0"),
        ("http://", "host is empty"),
        ("http://:80/", "host is empty"),
        ("http://./", "host is empty"),
        ("", "not a URL"),
        ("example.com/path", "not a URL"),
        ("http://example.com:99999/", "not a URL"),
        ("http://[::1/", "not a URL"),
        ("http://[fe80::1%25eth0]/", "not a URL"),
        ("http://1.2.3.256/", "not a URL"),
        ("http://xn--/", "not a URL"),
        ("http://example.com/" + "a" * 2048, "longer than 2,048"),
        ("http://example.com/" + "ü" * 400, "longer than 2,048 characters once escaped"),
    ],
)
def test_what_is_no_plain_http_url_is_refused_with_one_reason(text, reason):
    with pytest.raises(InvalidURL) as caught:
        canonicalise(text)
    assert reason in caught.value.reason


def test_ports_may_be_widened_or_left_open():
    assert canonicalise("http://example.com:81/", {81}).port == 81
    assert canonicalise("http://example.com:22/", None).port == 22


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/x", "http://example.com/x"),
        ("y?q", "http://example.com/a/y?q"),
        ("//other.example/", "http://other.example/"),
        ("/with space", "http://example.com/with%20space"),
        ("#top", "http://example.com/a/b"),
        ("https://other.example:443/", "https://other.example/"),
    ],
)
def test_a_redirect_is_read_against_the_page_it_came_from(location, url):
    assert resolve("http://example.com/a/b", location).url == url


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://u:p@b/", "http://b:22/", "javascript:1", "http://["]
)
def test_a_redirect_is_vetted_like_any_url(location):
    with pytest.raises(InvalidURL):
        resolve("http://example.com/", location)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_refused_or_becomes_a_form_that_stays_the_same(host, rest):
    try:
        url = canonicalise(f"http://{host}/{rest}", None)
    except InvalidURL:
        return
    assert canonicalise(url.url, None) == url
    assert url.url.isascii()
