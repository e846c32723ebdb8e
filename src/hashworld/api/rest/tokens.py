"""Tokens over REST: made, told and revoked."""

from datetime import timedelta

from django.http import HttpRequest
from ninja import Router, Status

from hashworld.api import tokens
from hashworld.api.door import caller, opened, user
from hashworld.api.schemas.tokens import SecretOut, TokenIn, TokenOut
from hashworld.api.schemas.words import Id, Word

router = Router(tags=["tokens"])


@opened(router, "GET", "/tokens", tokens.find, response=list[TokenOut])
def list_tokens(request: HttpRequest, of_all: bool = False) -> list[TokenOut]:
    """Your tokens; those of all for whoever manages people."""
    return [TokenOut.of(token) for token in tokens.find(user(request), of_all=of_all)]


@opened(router, "POST", "/tokens", tokens.issue, response={201: SecretOut})
def issue_token(request: HttpRequest, wanted: TokenIn) -> Status[SecretOut]:
    """Make a token of yours. The secret is in this answer and nowhere else."""
    lasting = timedelta(seconds=wanted.expires_in) if wanted.expires_in else None
    who = caller(request)
    token, secret = tokens.issue(who.user, wanted.name, wanted.scopes, lasting, who.scopes)
    return Status(201, SecretOut(secret=secret, **TokenOut.of(token).model_dump()))


@opened(router, "DELETE", "/tokens/{token_id}", tokens.revoke, response=TokenOut)
def revoke_token(
    request: HttpRequest,
    token_id: Id,
    reason: Word = "",
) -> TokenOut:
    """End a token at once."""
    return TokenOut.of(tokens.revoke(user(request), token_id, reason))
