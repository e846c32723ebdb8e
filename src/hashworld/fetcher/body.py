"""What a received body says: decompressed within bounds, its charset, its title. Pure.

The bounds hold while decompressing, not after: no step ever makes more than it may keep.
"""

import codecs
import re
import sys
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from html import unescape
from typing import Protocol

import brotli  # type: ignore[import-untyped]
from charset_normalizer import from_bytes

from .errors import BodyError, ErrorKind
from .limits import KIB, MIB, FetchLimits

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Headers = Sequence[tuple[str, str]]

MAX_TITLE = 300

# What is left over after a member is copied, so a small window keeps many members cheap.
_WINDOW = 64 * KIB
_MAX_MEMBERS = 1000
_ZSTD_OPTIONS = {int(zstd.DecompressionParameter.window_log_max): 23}  # 8 MiB, RFC 9659

_DETECTED = 64 * KIB
_DECLARED = 4 * KIB
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BOM_STARTS = {mark[:1] for mark, _ in _BOMS}
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s\"';,]+)", re.IGNORECASE)
_META = re.compile(
    rb"<meta[^<>]*?charset\s*=\s*[\"']?\s*([\w.:-]+)|<\?xml[^<>]*?encoding\s*=\s*[\"']([\w.:-]+)"
)
_TEXT = re.compile(r"text/|application/(?:json|xml|javascript|xhtml)|[^/]+/[^/]+\+(?:json|xml)$")
_HTML = ("text/html", "application/xhtml+xml")
# Labels that pages use in a wider sense than Python does (WHATWG Encoding, 4.2).
_WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_LABELS = {"x-sjis": "cp932", "x-gbk": "gb18030", "windows-949": "cp949", "windows-874": "cp874"}
# Text codecs that are no charsets; UTF-7 is one that hides markup.
_NOT_CHARSETS = frozenset(
    {"utf-7", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"}
)
_UNSHOWABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def decode(raw: bytes, headers: Headers, limits: FetchLimits) -> bytes:
    """`raw` with its content encodings undone (RFC 9110, 8.4).

    Raises BodyError: DECODED_TOO_LARGE past `max_decoded`, or past `max_ratio` once a MiB is
    decoded; DECODE for an encoding that is broken, unknown or nested deeper than allowed.
    """
    encodings = _encodings(headers)
    if not encodings or not raw:
        return raw
    if len(encodings) > limits.max_encodings:
        raise BodyError(ErrorKind.DECODE, f"{len(encodings)} content encodings")
    bound = min(limits.max_decoded, max(MIB, int(limits.max_ratio * len(raw))))
    body = raw
    for encoding in reversed(encodings):
        decoder = _DECODERS.get(encoding)
        if decoder is None:
            raise BodyError(ErrorKind.DECODE, f"unknown content encoding {encoding[:40]!r}")
        try:
            body = decoder(body, bound)
        except (zlib.error, brotli.error, zstd.ZstdError) as error:
            raise BodyError(ErrorKind.DECODE, f"broken {encoding}: {error}") from error
    return body


def charset_of(body: bytes, content_type: str) -> str:
    """The Python codec to read the decoded `body` with, passing `errors="replace"`.

    In order: byte order mark, Content-Type, declaration in the first 4 KiB, UTF-8 if it is
    that, detection on the first 64 KiB. What is not text is Latin-1, which takes every byte.
    """
    if body[:1] in _BOM_STARTS:
        for mark, codec in _BOMS:
            if body.startswith(mark):
                return codec
    return _named(content_type) or _declared(body) or _detected(body)


def title_of(body: bytes, charset: str, content_type: str) -> str:
    """The title of an HTML page on one line, at most 300 characters; empty if it has none.

    Looks at the first 64 KiB. Control and bidirectional formatting characters are dropped.
    """
    media_type = _media_type(content_type)
    if media_type not in _HTML and (media_type or not body[:KIB].lstrip().startswith(b"<")):
        return ""
    if charset.startswith(("utf-16", "utf-32")):
        body, charset = body[:_DETECTED].decode(charset, "replace").encode(), "utf-8"
    inner = _title_bytes(body[:_DECLARED])
    if inner is None:
        inner = _title_bytes(body[:_DETECTED])
    if inner is None:
        return ""
    text = unescape(inner[: 8 * KIB].decode(charset, "replace"))
    return _UNSHOWABLE.sub("", " ".join(text.split()))[:MAX_TITLE]


class _Decompressor(Protocol):
    """What zlib's and zstd's decompressors have in common. One handles one member."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _members(
    first_bytes: bytes, start: Callable[[], _Decompressor], data: bytes, bound: int
) -> bytes:
    """Decompress one member after the other, as gzip and zstd allow; ignore what follows them."""
    decoder = start()
    members = 1
    made: list[bytes] = []
    size = 0
    for begin in range(0, len(data), _WINDOW):
        window = data[begin : begin + _WINDOW]
        while window:
            if decoder.eof:
                if window[0] not in first_bytes:
                    return b"".join(made)
                members += 1
                if members > _MAX_MEMBERS:
                    raise BodyError(ErrorKind.DECODE, f"more than {_MAX_MEMBERS} members")
                decoder = start()
            made.append(decoder.decompress(window, bound - size + 1))
            size += len(made[-1])
            _check(size, bound)
            window = decoder.unused_data
    if not decoder.eof:
        raise BodyError(ErrorKind.DECODE, "the compressed body is cut short")
    return b"".join(made)


def _deflate(data: bytes, bound: int) -> bytes:
    """With its zlib wrapper, as specified, or without, as some servers send it."""
    wrapped = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0
    start = partial(zlib.decompressobj, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
    return _members(b"", start, data, bound)


def _brotli(data: bytes, bound: int) -> bytes:
    decoder = brotli.Decompressor()
    made: list[bytes] = []
    size = 0
    rest = data
    while not decoder.is_finished():
        made.append(decoder.process(rest, output_buffer_limit=bound - size + 1))
        size += len(made[-1])
        _check(size, bound)
        rest = b""
        if not made[-1]:
            raise BodyError(ErrorKind.DECODE, "the compressed body is cut short")
    return b"".join(made)


_gzip = partial(_members, b"\x1f", partial(zlib.decompressobj, zlib.MAX_WBITS | 16))
# A frame, or one to skip (RFC 8878, 3.1).
_zstd = partial(
    _members,
    bytes((0x28, *range(0x50, 0x60))),
    partial(zstd.ZstdDecompressor, options=_ZSTD_OPTIONS),
)
_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}


def _check(size: int, bound: int) -> None:
    if size > bound:
        raise BodyError(ErrorKind.DECODED_TOO_LARGE, f"more than {bound} bytes decoded")


def _encodings(headers: Headers) -> list[str]:
    values = [value for name, value in headers if name.lower() == "content-encoding"]
    if not values:
        return []
    names = (name.strip().lower() for name in ",".join(values).split(","))
    return [name for name in names if name not in ("", "identity")]


@lru_cache(maxsize=256)
def _named(content_type: str) -> str | None:
    """The codec that a Content-Type names or implies, if it does either."""
    parameter = _CHARSET.search(content_type)
    if parameter and (named := _codec(parameter[1])):
        return named
    media_type = _media_type(content_type)
    return "latin-1" if media_type and not _TEXT.match(media_type) else None


@lru_cache(maxsize=256)
def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _declared(body: bytes) -> str | None:
    head = body[:_DECLARED].lower()
    if b"charset" not in head and b"encoding" not in head:
        return None  # most pages; the pattern would take a look behind every bracket
    found = _META.search(head)
    if found is None:
        return None
    codec = _codec((found[1] or found[2]).decode("ascii", "replace"))
    # It was read as ASCII, so whatever it says, it is not UTF-16.
    return "utf-8" if codec and codec.startswith(("utf-16", "utf-32")) else codec


def _detected(body: bytes) -> str:
    head = body[:_DETECTED]
    if head.isascii():
        return "utf-8"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, len(head) == len(body))
    except UnicodeDecodeError:
        best = from_bytes(head).best()
        return (best and _codec(best.encoding)) or "cp1252"
    return "utf-8"


@lru_cache(maxsize=256)
def _codec(label: str) -> str | None:
    """The codec behind a charset label; None for what is not a charset."""
    label = label.lower()[:40]
    try:
        codec = codecs.lookup(_LABELS.get(label, label)).name
        b"x".decode(codec, "ignore")  # refuses codecs that do not make text, such as hex
    except (LookupError, ValueError):
        return None
    return None if codec in _NOT_CHARSETS else _WIDER.get(codec, codec)


def _title_bytes(head: bytes) -> bytes | None:
    lowered = head.lower()
    at = lowered.find(b"<title")
    while at >= 0:
        at += len(b"<title")
        if lowered[at : at + 1] in (b">", b" ", b"\t", b"\r", b"\n", b"\f"):
            begin = lowered.find(b">", at) + 1
            end = lowered.find(b"</title", begin)
            return head[begin:end] if begin and end >= 0 else None
        at = lowered.find(b"<title", at)
    return None
