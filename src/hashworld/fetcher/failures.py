"""What libcurl's error codes mean to us: the one place where they are translated."""

import pycurl

from .errors import ErrorKind

_KINDS = {
    pycurl.E_UNSUPPORTED_PROTOCOL: ErrorKind.PROTOCOL,  # also its word for HTTP/0.9
    pycurl.E_URL_MALFORMAT: ErrorKind.URL_DENIED,
    pycurl.E_COULDNT_RESOLVE_HOST: ErrorKind.DNS,
    pycurl.E_COULDNT_CONNECT: ErrorKind.CONNECT,
    pycurl.E_FTP_WEIRD_SERVER_REPLY: ErrorKind.PROTOCOL,
    pycurl.E_PARTIAL_FILE: ErrorKind.RESET,
    pycurl.E_SSL_CONNECT_ERROR: ErrorKind.TLS,
    pycurl.E_GOT_NOTHING: ErrorKind.RESET,
    pycurl.E_SSL_CERTPROBLEM: ErrorKind.TLS,
    pycurl.E_SSL_CIPHER: ErrorKind.TLS,
    pycurl.E_PEER_FAILED_VERIFICATION: ErrorKind.TLS,
    pycurl.E_BAD_CONTENT_ENCODING: ErrorKind.PROTOCOL,  # an unasked-for transfer encoding
    pycurl.E_FILESIZE_EXCEEDED: ErrorKind.BODY_TOO_LARGE,
    pycurl.E_SSL_INVALIDCERTSTATUS: ErrorKind.TLS,
    pycurl.E_SEND_ERROR: ErrorKind.RESET,
    pycurl.E_RECV_ERROR: ErrorKind.RESET,
    100: ErrorKind.HEADERS_TOO_LARGE,  # CURLE_TOO_LARGE, which pycurl does not name
}


def kind_of(code: int, message: str) -> ErrorKind:
    """The kind of error behind libcurl's `code`; INTERNAL for one not expected here.

    Timeouts are not told apart here: who set the clocks knows which one rang.
    """
    if code == pycurl.E_RECV_ERROR and "chunk" in message:
        # One code serves both the connection that broke and the chunk that was malformed.
        return ErrorKind.PROTOCOL
    return _KINDS.get(code, ErrorKind.INTERNAL)
