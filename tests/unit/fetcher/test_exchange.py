import pytest

from hashworld.fetcher.exchange import Request, header, parse_head


@pytest.mark.parametrize("method", ["get", "", "GET /", "G\r\nET", "CONNECT", "TRACE"])
def test_a_method_that_cannot_be_sent_is_refused(method):
    with pytest.raises(ValueError, match="method"):
        Request(1, "http://h/", "h", method=method)


@pytest.mark.parametrize(
    "name",
    ["", "X Y", "X:", "X\r\nY", "Host", "content-length", "Transfer-Encoding", "Connection"],
)
def test_a_header_that_is_ours_or_no_token_is_refused(name):
    with pytest.raises(ValueError, match="header"):
        Request(1, "http://h/", "h", headers=((name, "1"),))


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "\x00", "é", "\x7f"])
def test_a_header_value_cannot_split_the_message(value):
    with pytest.raises(ValueError, match="header X must be one line"):
        Request(1, "http://h/", "h", headers=(("X", value),))


def test_the_last_header_block_counts_and_trailers_do_not():
    lines = [
        b"HTTP/1.1 103 Early Hints\r\n",
        b"Link: </early>\r\n",
        b"\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"Via: HTTP/1.1 proxy\r\n",
        b"X:  spaced \t\r\n",
        b"x: twice\r\n",
        b"Name: caf\xe9\r\n",
        b"\r\n",
        b"Trailer: late\r\n",
    ]
    assert parse_head(lines) == [
        ("Via", "HTTP/1.1 proxy"),
        ("X", "spaced"),
        ("x", "twice"),
        ("Name", "café"),
    ]


def test_bare_line_feeds_are_read_too():
    assert parse_head([b"HTTP/1.1 200 OK\n", b"A: b\n", b"\n"]) == [("A", "b")]


@pytest.mark.parametrize("lines", [[], [b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"]])
def test_a_block_without_its_end_is_no_block(lines):
    assert parse_head(lines) is None


def test_the_first_field_of_a_name_is_found_whatever_its_case():
    assert header([("A", "1"), ("LOCATION", "2"), ("Location", "3")], "location") == "2"
    assert header([], "location") is None
