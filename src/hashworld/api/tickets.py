"""Tickets for the chatroom: what Django says of a person, signed, for one use within a minute.

``base64url(claims) "." base64url(HMAC-SHA256(key, claims))``, claims being JSON. The other side is
`chatroom.core.tickets`; a test holds the two together.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Collection

#: Seconds in which a ticket must be used.
LASTS = 60
#: Seconds for which a connection goes on without a new one.
SESSION = 1800


def sign(
    key: str,
    now: float,
    *,
    id: int,
    name: str,
    groups: Collection[str],
    superuser: bool,
    token: str = "",
) -> str:
    """A ticket of this person; `now` in seconds since 1970, `token` is for the remote calls."""
    claims = {
        "jti": secrets.token_hex(16),
        "id": id,
        "name": name,
        "groups": sorted(groups),
        "superuser": superuser,
        "token": token,
        "issued": now,
        "expires": now + LASTS,
        "session": SESSION,
    }
    payload = _encoded(json.dumps(claims).encode())
    signature = hmac.new(key.encode(), payload.encode(), hashlib.sha256).digest()
    return f"{payload}.{_encoded(signature)}"


def derived_key(secret_key: str) -> str:
    """The key of tickets where none is given: nobody can get from it to the secret key."""
    return hmac.new(secret_key.encode(), b"hashworld.chat", hashlib.sha256).hexdigest()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
