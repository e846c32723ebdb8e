"""Sending messages with the fetch engine, within the address policy that all fetches obey.

A message is claimed by compare-and-set for longer than a try can take, and what came of the try is
written after the answer. A sender that is killed in between leaves a claim that runs out, and the
message goes out again under the same id: at least once, never lost. Any number may send.
"""

import secrets
from collections import Counter, deque
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from time import monotonic

import structlog
from django.conf import settings
from django.db import transaction

from hashworld.fetcher.address import AddressPolicy
from hashworld.fetcher.engine import Engine, Request, Response
from hashworld.fetcher.errors import InvalidURL
from hashworld.fetcher.exchange import header
from hashworld.fetcher.limits import KIB, FetchLimits, HostLimits
from hashworld.fetcher.url import canonicalise
from hashworld.nodes import clock
from hashworld.tasks import events
from hashworld.tasks.events import Kind
from hashworld.transaction import retried
from hashworld.webhooks import ladder, signature
from hashworld.webhooks.ladder import Meaning
from hashworld.webhooks.models import Delivery, Message, State, Webhook

log = structlog.get_logger(__name__)

#: Messages under way at once, and those of one webhook: one that hangs holds up no other.
CAPACITY, OF_ONE = 64, 4
#: A receiver has 15 s to answer, as the specification advises, and no redirect is followed.
LIMITS = FetchLimits(
    connect_timeout=5,
    first_byte_timeout=15,
    total_timeout=20,
    max_body=64 * KIB,
    max_decoded=64 * KIB,
    max_redirects=0,
)
#: Seconds for which a sender has a message: no try takes so long.
CLAIM = 60
#: Bytes of an answer that the log keeps.
KEPT = 2000
#: A webhook that has taken nothing for so long is disabled when a message is given up.
PATIENCE = timedelta(days=5)


class Sender:
    """Sends from `start` to `stop`; `run_once` claims, sends and records."""

    def __init__(self) -> None:
        env = settings.ENV
        self._ports = frozenset(env.fetch_ports)
        self._engine = Engine(
            CAPACITY,
            AddressPolicy(env.fetch_allow_networks, env.fetch_deny_networks),
            self._take,
            f"{env.fetch_user_agent} webhooks",
        )
        #: Those under way, by number, with the headers that they were sent with.
        self._sent: dict[int, tuple[Message, dict[str, str], float]] = {}
        self._answers: deque[Response] = deque()

    def start(self) -> None:
        """Start the engine."""
        self._engine.start()

    def stop(self) -> None:
        """Stop; what is under way is sent again by another, or by the next."""
        self._engine.stop(5)

    def run_once(self) -> int:
        """Record what was answered and send what is due; the number sent."""
        while self._answers:
            response = self._answers[0]
            message, headers, began = self._sent[response.key]
            record(message, headers, response, monotonic() - began)
            self._answers.popleft()
            del self._sent[response.key]
        busy = Counter(message.webhook_id for message, _, _ in self._sent.values())
        return self._send(claim(CAPACITY - len(self._sent), busy))

    @property
    def under_way(self) -> int:
        """How many wait for an answer or to be recorded."""
        return len(self._sent)

    def _take(self, responses: list[Response]) -> None:
        self._answers.extend(responses)

    def _send(self, messages: Collection[Message]) -> int:
        if not messages:
            return 0
        now = clock.now()
        requests = []
        for message in messages:
            headers = _headers(message, now)
            self._sent[message.pk] = (message, headers, monotonic())
            if request := self._request(message, headers):
                requests.append(request)
        self._engine.submit(requests)
        return len(requests)

    def _request(self, message: Message, headers: dict[str, str]) -> Request | None:
        try:
            url = canonicalise(message.webhook.url, self._ports)
        except InvalidURL as error:  # the ports that are allowed were changed
            del self._sent[message.pk]
            disable(message.webhook, f"its URL may not be sent to: {error.reason}")
            return None
        return Request(
            key=message.pk,
            url=url.url,
            host=url.host,
            # None waits in the engine: what is claimed is sent at once, or its claim would run out.
            host_limits=HostLimits(max_connections=CAPACITY),
            limits=LIMITS,
            method="POST",
            headers=tuple(headers.items()),
            body=message.payload.encode(),
            ports=self._ports,
        )


def claim(most: int, busy: Mapping[int, int] | None = None) -> list[Message]:
    """Messages that are due, now this sender's for `CLAIM` seconds, few of each webhook.

    `busy` says how many of each webhook this sender has already.
    """
    of_hook = Counter(busy or {})
    full = [hook_id for hook_id, number in of_hook.items() if number >= OF_ONE]
    now = clock.now()
    due = Message.objects.filter(due_at__lte=now).exclude(webhook_id__in=full).order_by("due_at")
    chosen: list[int] = []
    for pk, hook_id in due.values_list("pk", "webhook_id")[: max(0, most) * OF_ONE]:
        of_hook[hook_id] += 1
        if of_hook[hook_id] <= OF_ONE and len(chosen) < most:
            chosen.append(pk)
    # Nothing is locked to find that nothing is due, which is how it mostly is.
    return _take(chosen, now) if chosen else []


@retried
def _take(chosen: Collection[int], now: datetime) -> list[Message]:
    mark = secrets.token_hex(16)
    until = now + timedelta(seconds=CLAIM)
    # Another may have been quicker: of two that set it, the first takes it out of what is due.
    Message.objects.filter(pk__in=chosen, due_at__lte=now).update(due_at=until, claim=mark)
    mine = Message.objects.filter(pk__in=chosen, claim=mark).select_related("webhook")
    return list(mine.order_by("pk"))


@retried
def record(message: Message, sent: dict[str, str], response: Response, seconds: float) -> None:
    """Write what came of a try, unless the claim has run out and another sends it again."""
    now = clock.now()
    mine = Message.objects.select_for_update().filter(pk=message.pk, claim=message.claim)
    if not mine.exists():
        log.warning("a webhook's answer came too late", message=message.uid)
        return
    tries = message.tries + 1
    meaning = ladder.meaning(response.status)
    Delivery.objects.create(
        message=message,
        number=Delivery.objects.filter(message=message).count() + 1,
        at=now,
        headers=sent,
        status=response.status,
        error=response.error.value if response.error else "",
        detail=response.detail[:300],
        answer=response.raw[:KEPT].decode("utf-8", errors="replace").replace("\0", "\ufffd"),
        seconds=seconds,
    )
    if meaning is Meaning.TAKEN:
        _end(message, State.DELIVERED, tries, now)
        Webhook.objects.filter(pk=message.webhook_id).update(failing_since=None)
        return
    hook = Webhook.objects.select_for_update().get(pk=message.webhook_id)
    hook.failing_since = hook.failing_since or now
    hook.save(update_fields=("failing_since",))
    if meaning is Meaning.GONE:
        _end(message, State.FAILED, tries, now)
        disable(hook, "its receiver answered 410 Gone")
        return
    wait = ladder.delay(tries, header(response.headers, "retry-after") or "")
    if wait is not None and hook.disabled_at is None:
        due = now + timedelta(seconds=wait)
        Message.objects.filter(pk=message.pk).update(tries=tries, due_at=due, claim="")
        return
    _end(message, State.FAILED, tries, now)
    if now - hook.failing_since > PATIENCE:
        days = (now - hook.failing_since).days
        disable(hook, f"nothing could be delivered for {days} days")


@transaction.atomic
def disable(hook: Webhook, reason: str) -> bool:
    """Send no more to a webhook, give up what it is owed, and tell its owner.

    False when it was disabled before.
    """
    now = clock.now()
    active = Webhook.objects.active().filter(pk=hook.pk)
    if not active.update(disabled_at=now, disabled_reason=reason[:200]):
        return False
    owed = Message.objects.filter(webhook=hook, state=State.WAITING)
    given_up = owed.update(state=State.FAILED, due_at=None, claim="", ended_at=now)
    text = f"The webhook to {hook.url[:150]} was disabled: {reason}."
    events.tell(
        Kind.WEBHOOK_DISABLED,
        text,
        owner_id=hook.owner_id,
        webhook=hook.pk,
        url=hook.url,
        reason=reason,
        given_up=given_up,
    )
    log.warning("webhook disabled", webhook=hook.pk, reason=reason)
    return True


def _end(message: Message, state: State, tries: int, now: datetime) -> None:
    Message.objects.filter(pk=message.pk).update(
        state=state, tries=tries, due_at=None, claim="", ended_at=now
    )


def _headers(message: Message, now: datetime) -> dict[str, str]:
    hook = message.webhook
    keys = [hook.secret]
    if hook.former_secret and hook.former_until and hook.former_until > now:
        keys.append(hook.former_secret)
    # Whole seconds, rounded down: a receiver must not think that it comes from the future.
    signed = signature.headers(message.uid, int(now.timestamp()), message.payload, keys)
    return {"content-type": "application/json", **signed}
