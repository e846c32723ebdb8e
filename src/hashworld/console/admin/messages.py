"""The log of what webhooks were sent: with request, answer, and a button to resend."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from hashworld.console import badges
from hashworld.console.acting import perform, person
from hashworld.console.admin.base import RecordAdmin
from hashworld.console.templatetags.console import ago
from hashworld.verbs import rights
from hashworld.verbs import webhooks as verbs
from hashworld.webhooks.models import Delivery, Message, State

TONES = {State.WAITING: "waiting", State.DELIVERED: "succeed", State.FAILED: "runtime-error"}


class HookFilter(admin.SimpleListFilter):
    """The messages of one webhook."""

    title = "webhook"
    parameter_name = "webhook"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """The webhooks that this person may see."""
        return [(str(hook.pk), str(hook)) for hook in verbs.find(person(request))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        """By the index of the webhook."""
        value = self.value()
        return queryset.filter(webhook_id=int(value)) if value and value.isdecimal() else queryset


@admin.register(Message)
class MessageAdmin(RecordAdmin):
    """What was sent and is owed, the newest first."""

    list_display = ("message", "receiver", "kind_", "stand", "tried", "made")
    list_filter = (HookFilter,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        """Those of the webhooks that this person may see."""
        seen = [hook.pk for hook in verbs.find(person(request))]
        found: QuerySet[Message] = super().get_queryset(request)
        return found.filter(webhook_id__in=seen).select_related("webhook")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever sees jobs."""
        return rights.may(person(request), rights.VIEW_JOB)

    def get_urls(self) -> list[URLPattern]:
        """With the button's."""
        resend = self.admin_site.admin_view(require_POST(self.resend))
        own = path("<int:message_id>/resend/", resend, name="webhooks_message_resend")
        return [own, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The message, and every try with what was sent and what was answered."""
        found = self.get_object(request, object_id)
        if not isinstance(found, Message):
            return self.missing(request, object_id)
        tries = Delivery.objects.filter(message=found).order_by("-number")
        context = {"message": found, "tries": tries, "stand": self.stand(found)}
        return self.page(request, found, "console/message.html", context)

    def resend(self, request: HttpRequest, message_id: int) -> HttpResponse:
        """Send it again now."""
        if perform(request, partial(verbs.resend, person(request), message_id)):
            messages.success(request, "It is sent again now, under the same id.")
        return redirect("admin:webhooks_message_change", message_id)

    @admin.display(description="Message")
    def message(self, shown: Message) -> str:
        """Its id."""
        return shown.uid

    @admin.display(description="Receiver")
    def receiver(self, shown: Message) -> str:
        """Where it goes."""
        return str(shown.webhook)

    @admin.display(description="Event")
    def kind_(self, shown: Message) -> str:
        """What it tells."""
        return shown.kind

    @admin.display(description="State")
    def stand(self, shown: Message) -> SafeString:
        """What became of it."""
        state = State(shown.state)
        return badges.badge(state.label, TONES[state])

    @admin.display(description="Tries")
    def tried(self, shown: Message) -> str:
        """How often it was sent."""
        return str(shown.tries)

    @admin.display(description="Made")
    def made(self, shown: Message) -> SafeString:
        """When it was made."""
        return ago(shown.created_at)
