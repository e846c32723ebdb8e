import gzip
import random
import sys
import tracemalloc
import zlib
from functools import cache

import brotli
import pytest

from hashworld.fetcher.body import charset_of, decode, title_of
from hashworld.fetcher.errors import BodyError, ErrorKind
from hashworld.fetcher.limits import KIB, MIB, FetchLimits

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMITS = FetchLimits()
TEXT = b"<html>" + bytes(random.Random(1).choices(b"abcdefgh ", k=200_000))
HTML = "text/html"


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACK = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=5),
    "zstd": zstd.compress,
}


def encoded(*names):
    return [("content-encoding", ", ".join(names))]


def error_of(raw, headers, limits=LIMITS):
    with pytest.raises(BodyError) as caught:
        decode(raw, headers, limits)
    return caught.value.kind


@pytest.mark.parametrize("name", PACK)
def test_each_encoding_is_undone(name):
    assert decode(PACK[name](TEXT), encoded(name), LIMITS) == TEXT


@pytest.mark.parametrize("headers", [[], encoded("identity"), encoded("")])
def test_a_plain_body_stays_what_it_is(headers):
    assert decode(TEXT, headers, LIMITS) is TEXT


@pytest.mark.parametrize("name", PACK)
def test_an_empty_body_needs_no_decoding(name):
    assert decode(b"", encoded(name), LIMITS) == b""


def test_deflate_without_its_wrapper_is_understood():
    assert decode(raw_deflate(TEXT), encoded("deflate"), LIMITS) == TEXT


def test_encodings_laid_over_one_another_are_undone_from_the_outside_in():
    raw = brotli.compress(gzip.compress(TEXT))
    assert decode(raw, encoded("gzip", "br"), LIMITS) == TEXT
    assert decode(raw, [*encoded("GZIP"), *encoded("Br")], LIMITS) == TEXT


def test_deeper_nesting_than_allowed_is_refused():
    raw = TEXT
    for _ in range(5):
        raw = zstd.compress(raw)
    names = encoded(*["zstd"] * 5)
    assert error_of(raw, names) is ErrorKind.DECODE
    assert decode(raw, names, FetchLimits(max_encodings=5)) == TEXT


def test_an_unknown_encoding_is_refused():
    assert error_of(b"x", encoded("rot13")) is ErrorKind.DECODE


@pytest.mark.parametrize("name", PACK)
@pytest.mark.parametrize(
    "spoil", [lambda raw: raw[:-9], lambda raw: b"garbage", lambda raw: raw[:1]]
)
def test_a_broken_or_cut_body_is_refused(name, spoil):
    assert error_of(spoil(PACK[name](TEXT)), encoded(name)) is ErrorKind.DECODE


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_members_follow_one_another_and_garbage_after_them_is_ignored(name):
    raw = PACK[name](b"one ") + PACK[name](b"two")
    assert decode(raw, encoded(name), LIMITS) == b"one two"
    assert decode(raw + b"\0\0garbage", encoded(name), LIMITS) == b"one two"


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_endless_empty_members_are_refused_early(name):
    assert error_of(PACK[name](b"") * 500_000, encoded(name)) is ErrorKind.DECODE


@cache
def bomb(name):
    """What unfolds to six times as much as may be."""
    return PACK[name](bytes(60 * MIB))


@pytest.mark.parametrize("name", PACK)
def test_a_bomb_is_refused_without_ever_being_unfolded(name):
    raw = bomb(name)
    limits = FetchLimits(max_ratio=10_000)
    tracemalloc.start()
    try:
        assert error_of(raw, encoded(name), limits) is ErrorKind.DECODED_TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 2 * limits.max_decoded + 4 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", PACK)
def test_a_bomb_within_a_wrapping_is_refused_at_the_first_step_that_is_too_large(name):
    raw = gzip.compress(bomb(name))
    limits = FetchLimits(max_ratio=10_000)
    assert error_of(raw, encoded(name, "gzip"), limits) is ErrorKind.DECODED_TOO_LARGE


@pytest.mark.parametrize("name", PACK)
def test_the_ratio_counts_once_a_mib_is_decoded(name):
    small, large = PACK[name](bytes(MIB)), PACK[name](bytes(2 * MIB))
    limits = FetchLimits(max_ratio=2.0)
    assert len(decode(small, encoded(name), limits)) == MIB
    assert error_of(large, encoded(name), limits) is ErrorKind.DECODED_TOO_LARGE


@pytest.mark.parametrize("name", PACK)
def test_the_size_bound_is_exact(name):
    raw = PACK[name](TEXT)
    assert decode(raw, encoded(name), FetchLimits(max_decoded=len(TEXT))) == TEXT
    limits = FetchLimits(max_decoded=len(TEXT) - 1)
    assert error_of(raw, encoded(name), limits) is ErrorKind.DECODED_TOO_LARGE


RUSSIAN = "<p>Съешь же ещё этих мягких французских булок, да выпей чаю. " * 20


@pytest.mark.parametrize(
    ("body", "content_type", "charset"),
    [
        (b"\xef\xbb\xbfhi", "text/html; charset=cp1251", "utf-8-sig"),
        (b"\xff\xfeh\0", "text/html", "utf-16"),
        (b"\xff\xfe\0\0h\0\0\0", "", "utf-32"),
        (b"hi", "text/html; charset=UTF-8", "utf-8"),
        (b"hi", 'text/html; charset="windows-1251"', "cp1251"),
        (b"<meta charset=koi8-r>", "text/html; charset=utf-8", "utf-8"),
        (b"hi", "text/html; charset=iso-8859-1", "cp1252"),
        (b"hi", "text/html; charset=GB2312", "gb18030"),
        (b"hi", "text/html; charset=x-sjis", "cp932"),
        (b"<meta charset='koi8-r'>", HTML, "koi8-r"),
        (b"<META content='text/html; CHARSET=euc-jp' http-equiv=x>", HTML, "euc_jp"),
        (b"<meta charset=utf-16>", HTML, "utf-8"),
        (b"<?xml version='1.0' encoding='iso-8859-2'?>", "text/xml", "iso8859-2"),
        (b" " * 5000 + b"<meta charset=koi8-r>", HTML, "utf-8"),
        (b"plain", HTML, "utf-8"),
        ("zażółć".encode(), "", "utf-8"),
        (RUSSIAN.encode("cp1251"), HTML, "cp1251"),
        (b"\x89PNG\r\n\xff", "image/png", "latin-1"),
        (b"", "", "utf-8"),
    ],
)
def test_the_charset_is_taken_from_the_surest_source(body, content_type, charset):
    assert charset_of(body, content_type) == charset
    assert isinstance(body.decode(charset, "replace"), str)


@pytest.mark.parametrize(
    "label",
    ["hex", "zlib", "rot13", "utf-7", "idna", "unicode_escape", "nonsense", "a\0b", "x" * 999],
)
def test_a_label_that_is_no_charset_is_passed_over(label):
    assert charset_of(b"<meta charset=koi8-r>", f"text/html; charset={label}") == "koi8-r"
    assert charset_of(f"<meta charset={label}>".encode(), HTML) == "utf-8"


def test_utf_8_cut_by_the_end_of_the_sample_is_still_utf_8():
    assert charset_of(b"x" + "ü".encode() * 40_000, HTML) == "utf-8"


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_bytes_the_codec_reads_them(seed):
    body = random.Random(seed).randbytes(2000)
    body.decode(charset_of(body, ""), "replace")


@pytest.mark.parametrize(
    ("page", "title"),
    [
        (b"<title>Plain</title>", "Plain"),
        (b"<html><TITLE lang='en'>\n  Two \t words\n</TITLE>", "Two words"),
        (b"<title>Fish &amp; chips &#x263A;</title>", "Fish & chips \u263a"),
        ("<title>Żółw</title>".encode(), "Żółw"),
        (b"<title>a&#0;b\x07c&#x202e;d</title>", "a\ufffdbcd"),
        (b"<titlebar></titlebar><title>real</title>", "real"),
        (b"<title>" + b"long " * 200 + b"</title>", ("long " * 200)[:300]),
        (b"<html>" + b" " * 5000 + b"<title>late</title>", "late"),
        (b"<html>" + b" " * 70 * KIB + b"<title>too late</title>", ""),
        (b"<title>never closed", ""),
        (b"<title never closed", ""),
        (b"<title " * 9000, ""),
        (b"<p>no title</p>", ""),
        (b"", ""),
    ],
)
def test_the_title_is_one_clean_line(page, title):
    assert title_of(page, "utf-8", HTML) == title


def test_the_title_is_read_in_the_page_charset():
    assert title_of("<title>Мир</title>".encode("cp1251"), "cp1251", HTML) == "Мир"
    assert title_of("<title>Мир</title>".encode("utf-16"), "utf-16", HTML) == "Мир"


def test_only_html_has_a_title():
    page = b"<title>x</title>"
    assert title_of(page, "utf-8", "text/plain") == ""
    assert title_of(page, "utf-8", "application/xhtml+xml; charset=utf-8") == "x"
    assert title_of(page, "utf-8", "") == "x"
    assert title_of(b"text with <title>x</title>", "utf-8", "") == ""
