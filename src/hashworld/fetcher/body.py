"""What a received body says: decompressed within bounds, its charset, its title. Pure."""

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from html import unescape
from typing import Protocol

import brotli
from charset_normalizer import from_bytes

from .errors import BodyError, ErrorKind
from .exchange import header
from .limits import MIB, FetchLimits

if __import__("sys").version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd
