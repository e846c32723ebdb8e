"""Webhooks: added, looked at, rotated, enabled and disabled, never edited."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from hashworld.console import badges
from hashworld.console.acting import perform, person
from hashworld.console.admin.base import StyledAdmin
from hashworld.console.templatetags.console import ago
from hashworld.tasks.events import Kind
from hashworld.verbs import rights
from hashworld.verbs import webhooks as verbs
from hashworld.verbs.errors import VerbError
from hashworld.webhooks.models import KINDS, Webhook

TOLD = {
    Kind.TASK_FINISHED: "tasks have ended, up to 500 in one message",
    Kind.JOB_FINISHED: "the last task of a job has ended",
    Kind.NODE_DEAD: "a node is dead, for whoever may see nodes",
    Kind.SCHEDULE_SKIPPED: "a recurring job was not handed in when it was due",
    Kind.WEBHOOK_DISABLED: "one of your webhooks is sent nothing more",
}


#: What its own page shows of a webhook.
SHOWN = ("receiver", "owner", "about", "kinds_", "stand", "reason", "made", "log")


class WebhookForm(forms.ModelForm[Webhook]):
    """A new webhook; the verb checks it and makes it."""

    url = forms.CharField(
        label="URL",
        max_length=2048,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "https://example.com/hooks"}),
    )
    kinds = forms.MultipleChoiceField(
        label="Events",
        choices=[(kind.value, f"{kind.value}: {TOLD[kind]}") for kind in KINDS],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
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

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What is asked of a new one, and all that is known of one that is there."""
        return SHOWN if obj else ("url", "kinds", "job_id")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A webhook that is there is only shown."""
        return SHOWN if obj else ()

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

    @admin.display(description="Why")
    def reason(self, shown: Webhook) -> str:
        """What is the matter, where something is."""
        if shown.disabled_at:
            return f"{shown.disabled_reason}, at {shown.disabled_at:%Y-%m-%d %H:%M} UTC"
        if shown.failing_since:
            return f"nothing was delivered since {shown.failing_since:%Y-%m-%d %H:%M} UTC"
        return ""

    @admin.display(description="Made")
    def made(self, shown: Webhook) -> SafeString:
        """When it was added."""
        return ago(shown.created_at)

    @admin.display(description="Log")
    def log(self, shown: Webhook) -> SafeString:
        """The way to its messages."""
        link = reverse("admin:webhooks_message_changelist")
        return format_html(
            '<a class="text-primary-600" href="{}?webhook={}">messages</a>', link, shown.pk
        )
