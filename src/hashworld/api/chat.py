"""The chatroom's page, and the tickets with which its people are let in."""

import time
from datetime import timedelta

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from hashworld.api import tickets, tokens
from hashworld.api.models import Token
from hashworld.nodes import clock
from hashworld.verbs.rights import Scope

#: What is asked for in the chat may read, submit and operate, as far as the speaker may.
SCOPES = (Scope.READ, Scope.SUBMIT, Scope.OPERATE)
TOKEN_NAME = "chat"  # noqa: S105 - what it is called
#: A token outlives the connection that its ticket allows.
TOKEN_LASTS = timedelta(seconds=tickets.SESSION + 120)


def page(request: HttpRequest) -> HttpResponse:
    """The chatroom; what fills it comes over the socket."""
    context = {
        **admin.site.each_context(request),
        "title": "Chatroom",
        "chat_url": settings.ENV.chat_url,
        "chat_port": settings.ENV.chat_bind.rpartition(":")[2],
        "may_chat": may_chat(_user(request)),
    }
    return render(request, "console/chat.html", context)


def ticket(request: HttpRequest) -> HttpResponse:
    """A ticket for whoever is signed in, good once and for a minute."""
    user = _user(request)
    if not may_chat(user):
        raise PermissionDenied
    signed = tickets.sign(
        key(),
        time.time(),
        id=user.pk,
        name=user.get_username(),
        groups=user.groups.values_list("name", flat=True),
        superuser=user.is_superuser,
        token=_token(user),
    )
    return JsonResponse({"ticket": signed})


def may_chat(user: User) -> bool:
    """Whether the chatroom would let this person do anything: one in no group may not."""
    return user.is_superuser or user.groups.exists()


def key() -> str:
    """What tickets are signed with; the chatroom is given the same."""
    return settings.ENV.chat_secret or tickets.derived_key(settings.SECRET_KEY)


def _token(user: User) -> str:
    """The secret of a short-lived token; those that are over go."""
    over = Token.objects.filter(user=user, name=TOKEN_NAME, expires_at__lt=clock.now())
    over.delete()
    return tokens.issue(user, TOKEN_NAME, [scope.value for scope in SCOPES], TOKEN_LASTS)[1]


def _user(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User):
        raise PermissionDenied
    return user
