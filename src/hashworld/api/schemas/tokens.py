"""Tokens as the REST door says and takes them."""

from datetime import datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field

from hashworld.api.models import Token
from hashworld.api.schemas.words import In, Word


class TokenIn(In):
    """A token to be made."""

    name: Annotated[Word, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Literal["read", "submit", "operate", "admin"]], Field(min_length=1)]
    expires_in: Annotated[int, Field(ge=1, le=3660 * 86_400)] | None = Field(
        None, description="Seconds; left out, it never expires."
    )


class TokenOut(Schema):
    """A token without its secret."""

    id: int
    user: str
    name: str
    hint: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, token: Token) -> "TokenOut":
        """A token as it is told."""
        told = "id name hint scopes created_at expires_at last_used_at revoked_at".split()
        values = {name: getattr(token, name) for name in told}
        return cls(user=token.user.get_username(), **values)


class SecretOut(TokenOut):
    """A new token; its secret is shown this once."""

    secret: str
