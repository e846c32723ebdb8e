"""Signing messages: Standard Webhooks, version 1, with symmetric secrets. Pure."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
#: Bytes; the specification asks for 24 to 64.
LENGTH = 32


def new_secret() -> str:
    """A secret as receivers are given it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(LENGTH)).decode()


def headers(uid: str, timestamp: int, payload: str, keys: Iterable[str]) -> dict[str, str]:
    """The headers of one try at `timestamp`, in seconds; a signature for each secret."""
    return {
        "webhook-id": uid,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(uid, timestamp, payload, key) for key in keys),
    }


def sign(uid: str, timestamp: int, payload: str, secret: str) -> str:
    """The signature of one secret."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{uid}.{timestamp}.{payload}".encode()
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
