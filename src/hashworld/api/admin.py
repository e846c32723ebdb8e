"""API tokens: made and revoked here by their owners; the secret is shown this once."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from hashworld.api import tokens
from hashworld.api.models import Token
from hashworld.console import badges, wording
from hashworld.console.acting import perform, person
from hashworld.console.admin.base import RecordAdmin
from hashworld.console.templatetags.console import ago
from hashworld.nodes import clock
from hashworld.verbs.errors import Invalid
from hashworld.verbs.rights import Scope, may

WORDS = {
    Scope.READ: "read: look at jobs, tasks, results and the cluster",
    Scope.SUBMIT: "submit: hand in jobs, make and fire schedules",
    Scope.OPERATE: "operate: kill, retry, delete, pause and resume",
    Scope.ADMIN: "admin: make and revoke tokens",
}


class TokenForm(forms.Form):
    """A name, what it may be used for, and for how long."""

    name = forms.CharField(
        max_length=tokens.MOST_NAME,
        widget=UnfoldAdminTextInputWidget({"placeholder": "Nightly export on berlin"}),
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, text) for scope, text in WORDS.items()],
        initial=[Scope.READ.value],
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    days = forms.IntegerField(
        label="Expires in",
        required=False,
        initial=90,
        min_value=1,
        max_value=tokens.LONGEST.days,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Days. Empty: never.",
    )


@admin.register(Token)
class TokenAdmin(RecordAdmin):
    """One's own, or those of all for whoever manages people; the newest first."""

    list_display = ("name", "owner", "hint_", "scopes_", "stand", "used", "created")
    list_display_links = None
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Token]:
        """With their owners."""
        seen = Q() if may(person(request), tokens.OTHERS) else Q(user=person(request))
        found: QuerySet[Token] = super().get_queryset(request).filter(seen)
        return found.select_related("user")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever sees this list: a token may never more than its owner."""
        return self.has_view_permission(request)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Whoever sees it."""
        return self.has_view_permission(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form, and then the secret, which is in this one answer."""
        form = TokenForm(request.POST or None)
        context: dict[str, Any] = {"form": form, "title": "New token", "has_add_permission": False}
        if request.method == "POST" and form.is_valid() and (made := self._issue(request, form)):
            context |= {"token": made[0], "secret": made[1]}
        response = self.page(request, None, "api/token_add.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def _issue(self, request: HttpRequest, form: TokenForm) -> tuple[Token, str] | None:
        data = form.cleaned_data
        lasting = timedelta(days=data["days"]) if data["days"] else None
        try:
            return tokens.issue(person(request), data["name"], data["scopes"], lasting)
        except Invalid as error:
            form.add_error(None, str(error))
            return None

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        """They open nothing any more."""
        user = person(request)
        for token in queryset[: self.list_per_page]:
            if perform(request, lambda pk=token.pk: tokens.revoke(user, pk)):  # type: ignore[misc]
                self.message_user(request, f"Revoked: {token}.", "SUCCESS")

    @admin.display(description="Owner")
    def owner(self, shown: Token) -> str:
        """In whose name it comes in."""
        return shown.user.get_username()

    @admin.display(description="Begins with")
    def hint_(self, shown: Token) -> str:
        """By which it is recognised."""
        return f"{shown.hint}..."

    @admin.display(description="Scopes")
    def scopes_(self, shown: Token) -> str:
        """What it may be used for."""
        return ", ".join(shown.scopes)

    @admin.display(description="State")
    def stand(self, shown: Token) -> SafeString:
        """Whether it opens anything."""
        if shown.revoked_at:
            return badges.badge("revoked", "killed")
        if shown.expires_at and shown.expires_at <= clock.now():
            return badges.badge("expired", "killed")
        return badges.badge("open", "succeed")

    @admin.display(description="Last used")
    def used(self, shown: Token) -> SafeString | str:
        """To the minute."""
        return ago(shown.last_used_at) if shown.last_used_at else wording.NONE

    @admin.display(description="Made")
    def created(self, shown: Token) -> SafeString:
        """When it was made."""
        return ago(shown.created_at)
