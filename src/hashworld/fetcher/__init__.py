"""Fetches URLs: requests in, responses out, within limits. Knows nothing of jobs or databases.

`Engine` runs many requests at once on one thread; `canonicalise` says what may be asked for,
`AddressPolicy` what may be connected to, and `decode`, `charset_of` and `title_of` read what
came back.
"""

from .address import AddressPolicy
from .body import charset_of, decode, title_of
from .engine import Engine
from .errors import BodyError, EngineStopped, ErrorKind, FetchError, InvalidURL, status_error
from .exchange import Request, Response, Timings, check_headers, check_method, header
from .limits import FetchLimits, HostLimits
from .url import DEFAULT_PORTS, URL, canonicalise, resolve

__all__ = [
    "DEFAULT_PORTS",
    "URL",
    "AddressPolicy",
    "BodyError",
    "Engine",
    "EngineStopped",
    "ErrorKind",
    "FetchError",
    "FetchLimits",
    "HostLimits",
    "InvalidURL",
    "Request",
    "Response",
    "Timings",
    "canonicalise",
    "charset_of",
    "check_headers",
    "check_method",
    "decode",
    "header",
    "resolve",
    "status_error",
    "title_of",
]
