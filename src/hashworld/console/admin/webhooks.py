"""Webhooks and the log of what they were sent: with request, answer, and a button to resend."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from hashworld.console import badges
from hashworld.console.acting import perform, person
from hashworld.console.admin.base import RecordAdmin, StyledAdmin
from hashworld.console.templatetags.console import ago
from hashworld.verbs import rights
from hashworld.verbs import webhooks as verbs
from hashworld.verbs.errors import VerbError
from hashworld.webhooks.models import KINDS, Delivery, Message, State, Webhook

TONES = {State.WAITING: "waiting", State.DELIVERED: "succeed", State.FAILED: "runtime-error"}


class WebhookForm(forms.ModelForm[Webhook]):
    """A new webhook; the verb checks it and makes it."""

    url = forms.CharField(max_length=2048, widget=UnfoldAdminTextInputWidget)
    kinds = forms.MultipleChoiceField(
        choices=[(kind.value, kind.value) for kind in KINDS],
        widget=forms.CheckboxSelectMultiple,
        initial=["job.finished"],
    )
    job_id = forms.IntegerField(
        label="Job",
        required=False,
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Its number, to be told of this job alone; of all that is yours when empty.",
    )
    #: Who adds it, and what was made; set by the admin.
    adder: Any = None
    secret = ""

    class Meta:
        model = Webhook
        fields = ("url", "kinds", "job_id")

    def clean(self) -> dict[str, Any]:
        """Make it by the verb: what that refuses is told at its field."""
        data = dict(super().clean() or {})
        if self.errors or self.instance.pk:
            return data
        try:
            made, self.secret = verbs.add(self.adder, data["url"], data["kinds"], data["job_id"])
        except VerbError as error:
            field = getattr(error, "field", "job_id")
            self.add_error(field if field in self.fields else None, str(error))
        else:
            self.instance = made
        return data

    def _post_clean(self) -> None:
        """Nothing more: the verb has made the row."""


@admin.register(Webhook)
class WebhookAdmin(StyledAdmin):
    """The webhooks that this person may see."""

    form = WebhookForm
    list_display = ("receiver", "owner", "about", "kinds_", "stand", "log")
    list_display_links = None
    ordering = ("-id",)
    actions = ("rotate", "enable", "disable")
    list_fullwidth = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        """Their own, or all of them for whoever runs the cluster."""
        seen = [hook.pk for hook in verbs.find(person(request))]
        return super().get_queryset(request).filter(pk__in=seen).select_related("owner")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever sees jobs."""
        return rights.may(person(request), rights.VIEW_JOB)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever hands in jobs."""
        return rights.may(person(request), rights.ADD_JOB)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A webhook is never edited: it is removed and added."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for adding; the list has those alone that may be removed."""
        return self.has_add_permission(request)

    has_act_permission = has_add_permission

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> type[WebhookForm]:
        """The form of this person."""
        return type("OwnForm", (WebhookForm,), {"adder": person(request)})

    def save_model(
        self, request: HttpRequest, obj: Webhook, form: WebhookForm, change: bool
    ) -> None:
        """The form has made it; its secret is shown this once."""
        messages.success(request, f"Its secret, shown this once: {form.secret}")

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:
        """By the verb."""
        perform(request, partial(verbs.remove, person(request), obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        """One by one, by the verb."""
        for hook in queryset:
            self.delete_model(request, hook)

    @admin.action(description="Rotate the secret", permissions=["act"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        """The former secret signs beside the new one for a day."""
        for hook in queryset:
            if secret := perform(request, partial(verbs.rotate, person(request), hook.pk)):
                messages.success(request, f"The new secret of {hook}, shown this once: {secret}")

    @admin.action(description="Enable", permissions=["act"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        """Send to them again."""
        for hook in queryset:
            if perform(request, partial(verbs.enable, person(request), hook.pk)):
                messages.success(request, f"{hook} is sent to again.")

    @admin.action(description="Disable", permissions=["act"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        """Send no more to them."""
        for hook in queryset:
            if perform(request, partial(verbs.disable, person(request), hook.pk)):
                messages.success(request, f"{hook} is sent nothing more.")

    @admin.display(description="Receiver")
    def receiver(self, shown: Webhook) -> str:
        """Where it leads."""
        return shown.url

    @admin.display(description="About")
    def about(self, shown: Webhook) -> str:
        """One job, or all."""
        return f"job {shown.job_id}" if shown.job_id else "all of its owner's"

    @admin.display(description="Events")
    def kinds_(self, shown: Webhook) -> str:
        """What it is told of."""
        return ", ".join(shown.kinds)

    @admin.display(description="State")
    def stand(self, shown: Webhook) -> SafeString:
        """Whether it takes what it is sent."""
        if shown.disabled_at:
            return badges.badge("disabled", "killed", shown.disabled_reason)
        if shown.failing_since:
            since = f"Nothing was delivered since {shown.failing_since:%Y-%m-%d %H:%M} UTC"
            return badges.badge("failing", "runtime-error", since)
        return badges.badge("active", "succeed")

    @admin.display(description="Log")
    def log(self, shown: Webhook) -> SafeString:
        """The way to its messages."""
        link = reverse("admin:webhooks_message_changelist")
        return format_html('<a href="{}?webhook={}">messages</a>', link, shown.pk)


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
