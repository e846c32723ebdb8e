"""Webhooks: add, list, rotate the secret, switch on and off, look at and repeat deliveries."""

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Q, QuerySet

from hashworld.fetcher.errors import InvalidURL
from hashworld.fetcher.url import canonicalise
from hashworld.nodes import clock
from hashworld.verbs import audit, paging, rights
from hashworld.verbs.errors import Conflict, Invalid, NotFound
from hashworld.verbs.paging import Page
from hashworld.verbs.rights import Scope, verb
from hashworld.webhooks import sender, signature
from hashworld.webhooks.models import KINDS, Message, State, Webhook

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Webhooks of one person.
MOST = 50
#: How long the former secret signs too.
OVERLAP = timedelta(hours=24)


@verb(Scope.SUBMIT)
def add(
    user: "User", url: str, kinds: Collection[str], job: int | None = None
) -> tuple[Webhook, str]:
    """A webhook for all that is this person's, or for one job; and its secret."""
    rights.require(user, rights.ADD_JOB, "add webhooks")
    if job is not None:
        rights.job(user, job)
    if Webhook.objects.filter(owner=user).count() >= MOST:
        raise Conflict(f"You have {MOST} webhooks already; remove one first.")
    hook = Webhook(
        owner=user,
        job_id=job,
        url=_url(url),
        kinds=_kinds(kinds),
        secret=signature.new_secret(),
        created_at=clock.now(),
    )
    hook.save()
    audit.note(user, "add webhook", f"webhook {hook.pk}: {hook.url[:200]}")
    return hook, hook.secret


@verb(Scope.READ)
def find(user: "User") -> list[Webhook]:
    """The webhooks that a person may see: their own, or all of them."""
    return list(_visible(user).select_related("owner"))


@verb(Scope.READ)
def get(user: "User", webhook_id: int) -> Webhook:
    """One webhook; raises NotFound."""
    found = _visible(user).select_related("owner").filter(pk=webhook_id).first()
    if found is None:
        raise NotFound(f"There is no webhook {webhook_id}.")
    return found


@verb(Scope.SUBMIT)
def remove(user: "User", webhook_id: int, reason: str = "") -> None:
    """Delete a webhook with its log."""
    hook = get(user, webhook_id)
    hook.delete()
    audit.note(user, "remove webhook", f"webhook {webhook_id}: {hook.url[:200]}", reason=reason)


@verb(Scope.SUBMIT)
def rotate(user: "User", webhook_id: int) -> str:
    """A new secret; the former signs beside it for a day, so that nothing is refused meanwhile."""
    hook = get(user, webhook_id)
    hook.former_secret, hook.secret = hook.secret, signature.new_secret()
    hook.former_until = clock.now() + OVERLAP
    hook.save(update_fields=("secret", "former_secret", "former_until"))
    audit.note(user, "rotate webhook", f"webhook {hook.pk}: {hook.url[:200]}")
    return hook.secret


@verb(Scope.SUBMIT)
def enable(user: "User", webhook_id: int) -> Webhook:
    """Send to a webhook again from now on; what was given up can be resent."""
    hook = get(user, webhook_id)
    hook.disabled_at, hook.disabled_reason, hook.failing_since = None, "", None
    hook.save(update_fields=("disabled_at", "disabled_reason", "failing_since"))
    audit.note(user, "enable webhook", f"webhook {hook.pk}: {hook.url[:200]}")
    return hook


@verb(Scope.SUBMIT)
def disable(user: "User", webhook_id: int, reason: str = "") -> Webhook:
    """Send no more to a webhook."""
    hook = get(user, webhook_id)
    sender.disable(hook, reason or f"{user.get_username()} asked for it")
    audit.note(user, "disable webhook", f"webhook {hook.pk}: {hook.url[:200]}", reason=reason)
    return get(user, webhook_id)


@verb(Scope.READ)
def messages(
    user: "User", webhook_id: int, cursor: str | None = None, limit: int = paging.USUAL
) -> Page[Message]:
    """What a webhook was sent and is owed, the newest first, with every try."""
    hook = get(user, webhook_id)
    paging.check_limit(limit)
    place = paging.numbers(cursor, 1)
    found = Message.objects.filter(webhook=hook).prefetch_related("deliveries").order_by("-pk")
    if place:
        found = found.filter(pk__lt=place[0])
    page = list(found[: limit + 1])
    more = paging.encode(page[limit - 1].pk) if len(page) > limit else None
    return Page(page[:limit], more)


@verb(Scope.SUBMIT)
def resend(user: "User", message_id: int) -> Message:
    """Send a message now, under the id that it has, and begin its retries anew."""
    message = Message.objects.select_related("webhook").filter(pk=message_id).first()
    if message is None or not _visible(user).filter(pk=message.webhook_id).exists():
        raise NotFound(f"There is no message {message_id}.")
    if message.webhook.disabled_at:
        raise Conflict("Its webhook is disabled; enable it first.")
    columns = {"state": State.WAITING, "tries": 0, "claim": "", "ended_at": None}
    Message.objects.filter(pk=message.pk).update(**columns, due_at=clock.now())
    audit.note(user, "resend message", f"message {message.uid}")
    return Message.objects.get(pk=message.pk)


def _visible(user: "User") -> QuerySet[Webhook]:
    rights.require(user, rights.VIEW_JOB, "see webhooks")
    everything = rights.may(user, rights.ANY_JOB) and rights.may(user, rights.CONTROL_NODE)
    return Webhook.objects.filter(Q() if everything else Q(owner=user))


def _url(text: str) -> str:
    try:
        return canonicalise(text, frozenset(settings.ENV.fetch_ports)).url
    except InvalidURL as error:
        raise Invalid("url", error.reason) from error


def _kinds(kinds: Collection[str]) -> list[str]:
    if not kinds:
        raise Invalid("kinds", f"there is none; choose of {', '.join(KINDS)}")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise Invalid("kinds", f"{unknown[0]!r} is none of {', '.join(KINDS)}")
    return [kind.value for kind in KINDS if kind in kinds]
