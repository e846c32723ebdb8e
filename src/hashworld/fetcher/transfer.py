"""The libcurl handle that carries a fetch for one hop: its options, its limits, its outcome."""

import errno
import socket
import ssl
from math import inf

import pycurl

from .address import AddressPolicy
from .errors import ErrorKind, FetchError, status_error
from .exchange import Request, Response, Timings, parse_head
from .failures import kind_of
from .fetch import Fetch
from .limits import FetchLimits

ACCEPT_ENCODING = "gzip, deflate, br, zstd"

_BUFFER_BYTES = 128 * 1024
_CLOCK_SLACK = 0.05  # libcurl counts in whole milliseconds, and from a little earlier than we do
_MICROSECOND = 1e-6


def trust_store(ca_file: str | None) -> tuple[int, str]:
    """The libcurl option and path of the certificate authorities: `ca_file` or the system's.

    Raises FetchError where the system has none: libcurl as shipped in wheels looks for them
    where one family of distributions keeps them.
    """
    paths = ssl.get_default_verify_paths()
    if ca_file or paths.cafile:
        return pycurl.CAINFO, ca_file or paths.cafile
    if paths.capath:
        return pycurl.CAPATH, paths.capath
    raise FetchError("no certificate authorities found: install ca-certificates or give ca_file")


class _Socket(socket.socket):
    """Handed to pycurl, which duplicates the descriptor and drops this object."""

    def __del__(self) -> None:
        self.close()  # without the warning about sockets that nobody closed


class Transfer:
    """A libcurl handle kept for the engine's life, with what the hop it carries has received.

    Options that never change are set once; those that follow the request only when they
    differ from the last one's, which on the common path leaves the URL alone.
    """

    __slots__ = (
        "_chunks",
        "_fault",
        "_fetch",
        "_first_byte_due",
        "_limits",
        "_lines",
        "_plain",
        "_policy",
        "_rate_bytes",
        "_rate_due",
        "_refusal",
        "_timeout_ms",
        "_verify_tls",
        "curl",
    )

    def __init__(self, policy: AddressPolicy, user_agent: str, trust: tuple[int, str]) -> None:
        self._policy = policy
        self._fetch: Fetch | None = None
        self._limits: FetchLimits | None = None
        self._timeout_ms = 0
        self._verify_tls = True
        self._plain = True
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []
        self._refusal = ""
        self._fault = ""
        self._first_byte_due = inf
        self._rate_due = inf
        self._rate_bytes = 0
        self.curl = pycurl.Curl()
        self._set_constants(user_agent, trust)

    def begin(self, fetch: Fetch, now: float) -> None:
        """Get ready to carry the next hop of `fetch`; the caller then starts `curl`."""
        if fetch.started is None:
            fetch.started = now
        hop = fetch.hop
        limits = hop.limits
        self._fetch = fetch
        fetch.transfer = self
        self._refusal = self._fault = ""
        self._first_byte_due = now + limits.first_byte_timeout
        self._rate_due = 0.0
        self._rate_bytes = 0
        self.curl.setopt(pycurl.URL, hop.url)
        if limits is not self._limits:
            self._set_limits(limits)
        # At least 1: libcurl takes 0 for no limit at all.
        timeout_ms = max(1, round((fetch.deadline() - now) * 1000))
        if timeout_ms != self._timeout_ms:
            self._timeout_ms = timeout_ms
            self.curl.setopt(pycurl.TIMEOUT_MS, timeout_ms)
        if hop.verify_tls is not self._verify_tls:
            self._set_verify(hop.verify_tls)
        if hop.headers or hop.method != "GET" or hop.body is not None:
            self._set_message(hop)
        elif not self._plain:
            self._set_plain_message()

    def overdue(self, now: float) -> tuple[ErrorKind, str] | None:
        """Which of the limits that libcurl does not watch has passed, and in words; else None."""
        limits = self._require_fetch().hop.limits
        if not self._lines:
            if now < self._first_byte_due:
                return None
            return (
                ErrorKind.FIRST_BYTE_TIMEOUT,
                f"no response within {limits.first_byte_timeout:g} s",
            )
        if now < self._rate_due or not limits.min_rate:
            return None
        received = sum(map(len, self._chunks))
        gained = received - self._rate_bytes
        if self._rate_due and gained < limits.min_rate * limits.min_rate_window:
            return ErrorKind.TOO_SLOW, f"{gained} bytes in {limits.min_rate_window:g} s"
        self._rate_due = now + limits.min_rate_window
        self._rate_bytes = received
        return None

    def finish(self, code: int, message: str, now: float) -> Response:
        """What came of the hop, which libcurl says has ended; `code` is 0 for no error."""
        limits = self._require_fetch().hop.limits
        lines = self._lines
        if len(lines) > limits.max_header_lines:
            error, detail = ErrorKind.HEADERS_TOO_LARGE, f"over {limits.max_header_lines} lines"
        elif sum(map(len, lines)) > limits.max_header_bytes:
            error, detail = ErrorKind.HEADERS_TOO_LARGE, f"over {limits.max_header_bytes} bytes"
        elif code:
            error, detail = self._error(code, message or f"libcurl error {code}", now)
        else:
            return self._response(None, "", now)
        return self._response(error, detail, now)

    def abort(self, error: ErrorKind, detail: str, now: float) -> Response:
        """What came of the hop, which the engine ends before libcurl does."""
        return self._response(error, detail, now)

    def _response(self, error: ErrorKind | None, detail: str, now: float) -> Response:
        fetch = self._require_fetch()
        curl = self.curl
        status = curl.getinfo(pycurl.RESPONSE_CODE) or None
        fields = parse_head(self._lines)
        raw = b""
        if error is None:
            if status is None or fields is None:
                # libcurl takes a connection closed inside the headers for their end.
                error, detail = ErrorKind.RESET, "connection closed inside the headers"
            else:
                raw = b"".join(self._chunks)
                error = status_error(status)
                detail = f"status {status}" if error else ""
        response = Response(
            key=fetch.request.key,
            status=status,
            url=fetch.hop.url,
            headers=fields or [],
            raw=raw,
            error=error,
            detail=detail,
            timings=self._timings(now),
            redirects=fetch.redirects,
            ip=curl.getinfo(pycurl.PRIMARY_IP),
            received=len(raw) or sum(map(len, self._chunks)),
            request=fetch.request,
        )
        # At once, or idle handles would go on holding the largest bodies.
        self._lines.clear()
        self._chunks.clear()
        self._fetch = fetch.transfer = None
        return response

    def _timings(self, now: float) -> Timings:
        started = self._require_fetch().started
        timings = Timings(total=None if started is None else now - started)
        getinfo = self.curl.getinfo
        if self._lines:
            sent = getinfo(pycurl.PRETRANSFER_TIME_T)
            timings.first_byte = (getinfo(pycurl.STARTTRANSFER_TIME_T) - sent) * _MICROSECOND
        if getinfo(pycurl.NUM_CONNECTS):
            looked_up = getinfo(pycurl.NAMELOOKUP_TIME_T)
            connected = getinfo(pycurl.CONNECT_TIME_T)
            secured = getinfo(pycurl.APPCONNECT_TIME_T)
            if looked_up:
                timings.dns = looked_up * _MICROSECOND
            if connected:
                timings.connect = (connected - looked_up) * _MICROSECOND
            if secured:
                timings.tls = (secured - connected) * _MICROSECOND
        return timings

    def _error(self, code: int, message: str, now: float) -> tuple[ErrorKind, str]:
        if code == pycurl.E_COULDNT_CONNECT and self._fault:
            return ErrorKind.INTERNAL, self._fault
        if code == pycurl.E_COULDNT_CONNECT and self._refusal:
            return ErrorKind.ADDRESS_DENIED, self._refusal
        if code == pycurl.E_OPERATION_TIMEDOUT:
            if now >= self._require_fetch().deadline() - _CLOCK_SLACK:
                return ErrorKind.TOTAL_TIMEOUT, message
            return ErrorKind.CONNECT_TIMEOUT, message
        if code == pycurl.E_UNSUPPORTED_PROTOCOL and not self.curl.getinfo(pycurl.PRIMARY_IP):
            return ErrorKind.URL_DENIED, message
        if code == pycurl.E_SSL_CONNECT_ERROR:
            if self.curl.getinfo(pycurl.OS_ERRNO) == errno.ECONNRESET:
                return ErrorKind.RESET, message
        return kind_of(code, message), message

    def _open_socket(self, purpose: int, target: pycurl.CurlSockAddr) -> socket.socket | int:
        """Called by libcurl for each address it is about to connect to, on every hop.

        This is the one gate: what it opens is what is connected to, so no second name lookup
        and no second parser can come between the check and the connection.
        """
        if purpose != pycurl.SOCKTYPE_IPCXN or target.family not in (
            socket.AF_INET,
            socket.AF_INET6,
        ):
            self._refusal = "not an internet connection"
            return int(pycurl.SOCKET_BAD)
        address = target.addr[0]
        reason = self._policy.refusal(address)
        if reason is not None:
            self._refusal = f"{address} is not allowed: {reason}"
            return int(pycurl.SOCKET_BAD)
        try:
            return _Socket(target.family, target.socktype, target.protocol)
        except OSError as error:
            self._fault = f"cannot open a socket: {error}"
            return int(pycurl.SOCKET_BAD)

    def _set_constants(self, user_agent: str, trust: tuple[int, str]) -> None:
        setopt = self.curl.setopt
        setopt(pycurl.NOSIGNAL, 1)
        setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        # list.append is called without a Python frame. What it may collect is bounded by
        # libcurl: 300 KiB and 5,000 lines of headers, and MAXFILESIZE for the body.
        setopt(pycurl.HEADERFUNCTION, self._lines.append)
        setopt(pycurl.WRITEFUNCTION, self._chunks.append)
        setopt(pycurl.BUFFERSIZE, _BUFFER_BYTES)
        setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        # One request a connection, so that a host's limit means both.
        setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        setopt(pycurl.HTTP09_ALLOWED, 0)
        setopt(pycurl.FOLLOWLOCATION, 0)
        setopt(pycurl.HTTP_CONTENT_DECODING, 0)
        setopt(pycurl.PATH_AS_IS, 1)
        setopt(pycurl.PROXY, "")  # an empty text also rules out the environment's proxies
        setopt(pycurl.NOPROXY, "*")
        setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        setopt(pycurl.USERAGENT, user_agent)
        setopt(*trust)
        self._set_verify(True)
        self._set_plain_message()

    def _set_limits(self, limits: FetchLimits) -> None:
        self._limits = limits
        self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(limits.connect_timeout * 1000)))
        self.curl.setopt(pycurl.MAXFILESIZE_LARGE, limits.max_body)

    def _set_verify(self, verify: bool) -> None:
        self._verify_tls = verify
        self.curl.setopt(pycurl.SSL_VERIFYPEER, 1 if verify else 0)
        self.curl.setopt(pycurl.SSL_VERIFYHOST, 2 if verify else 0)

    def _set_plain_message(self) -> None:
        self._plain = True
        self.curl.setopt(pycurl.HTTPGET, 1)
        self.curl.unsetopt(pycurl.CUSTOMREQUEST)
        self.curl.setopt(pycurl.HTTPHEADER, [f"Accept-Encoding: {ACCEPT_ENCODING}"])
        if self._limits is not None:
            self.curl.setopt(pycurl.MAXFILESIZE_LARGE, self._limits.max_body)

    def _set_message(self, hop: Request) -> None:
        self._set_plain_message()
        self._plain = False
        self.curl.setopt(pycurl.HTTPHEADER, _header_lines(hop))
        if hop.body is not None or hop.method in ("POST", "PUT", "PATCH"):
            self.curl.setopt(pycurl.POSTFIELDS, hop.body or b"")
        if hop.method == "HEAD":
            self.curl.setopt(pycurl.NOBODY, 1)
            # The length of a body that will not come is no reason to refuse.
            self.curl.setopt(pycurl.MAXFILESIZE_LARGE, 0)
        elif hop.method != "GET" or hop.body is not None:
            self.curl.setopt(pycurl.CUSTOMREQUEST, hop.method)

    def _require_fetch(self) -> Fetch:
        if self._fetch is None:
            raise RuntimeError("the transfer carries no fetch")
        return self._fetch


def _header_lines(hop: Request) -> list[str]:
    given = {name.lower() for name, _ in hop.headers}
    # libcurl's syntax: "Name;" sends an empty value, "Name:" sends no such field.
    lines = [f"{name}: {value}" if value.strip() else f"{name};" for name, value in hop.headers]
    if "accept-encoding" not in given:
        lines.append(f"Accept-Encoding: {ACCEPT_ENCODING}")
    if "content-type" not in given:
        lines.append("Content-Type:")  # else libcurl claims that a body is an HTML form
    lines.append("Expect:")
    return lines
