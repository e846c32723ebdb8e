"""The form that takes a job in."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO, cast
from uuid import uuid4

from django import forms
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from hashworld.tasks import lines
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import Duplicates, Priority
from hashworld.tasks.spec import METHODS, JobSpec
from hashworld.tasks.taken import Submission
from hashworld.verbs import jobs
from hashworld.verbs.errors import Conflict, Invalid, QuotaExceeded

#: The form's fields that are the job's options, under the same names.
OPTIONS = (
    "name method headers limits verify_tls priority duplicates max_attempts retry_base retry_cap"
    " keep_days"
).split()


class ObjectField(forms.JSONField):
    """A JSON object; an empty one is shown as an empty field."""

    def prepare_value(self, value: Any) -> Any:
        """The text of the field."""
        return "" if value in (None, {}) else super().prepare_value(value)


def _object_field(label: str, example: str, **options: Any) -> ObjectField:
    widget = UnfoldAdminTextareaWidget({"rows": 3, "placeholder": example, "spellcheck": "false"})
    return ObjectField(label=label, required=False, widget=widget, **options)


def _number_field(label: str, initial: float, **options: Any) -> forms.FloatField:
    return forms.FloatField(
        label=label,
        initial=initial,
        widget=UnfoldAdminIntegerFieldWidget({"step": "any"}),
        **options,
    )


class JobForm(forms.Form):
    """A name, the URLs, and the options, which all have a default."""

    name = forms.CharField(
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget({"placeholder": "Front pages, November"}),
    )
    urls = forms.CharField(
        label="URLs",
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(
            {
                "rows": 8,
                "placeholder": "https://example.com/\nhttps://example.org/page",
                "spellcheck": "false",
            }
        ),
        help_text="One on each line. Or choose a file below.",
    )
    file = forms.FileField(
        required=False,
        allow_empty_file=True,
        widget=UnfoldAdminFileFieldWidget(),
        help_text="A UTF-8 text with one URL on each line; a million lines are fine.",
    )
    priority = forms.TypedChoiceField(
        choices=Priority.choices,
        coerce=int,
        initial=Priority.NORMAL,
        widget=UnfoldAdminSelectWidget(),
    )
    duplicates = forms.ChoiceField(
        choices=Duplicates.choices,
        initial=Duplicates.KEEP,
        widget=UnfoldAdminSelectWidget(),
        help_text="What to do with a URL that the list has twice.",
    )
    method = forms.ChoiceField(
        choices=[(method, method) for method in METHODS],
        initial="GET",
        widget=UnfoldAdminSelectWidget(),
    )
    body = forms.CharField(
        label="Request body",
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Sent with POST, as UTF-8.",
    )
    headers = _object_field("Headers", '{"Accept-Language": "en"}', help_text="A JSON object.")
    limits = _object_field(
        "Limits",
        '{"total_timeout": 30, "max_body": 1000000}',
        help_text="A JSON object with what differs from the defaults; seconds and bytes.",
    )
    verify_tls = forms.BooleanField(
        label="Verify certificates",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget(),
    )
    max_attempts = forms.IntegerField(
        label="Tries",
        initial=4,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="At most so many for each URL, with those that failed.",
    )
    retry_base = _number_field("First wait", 2.0, help_text="Seconds before the second try.")
    retry_cap = _number_field("Longest wait", 300.0, help_text="Seconds; waits double up to it.")
    keep_days = forms.IntegerField(
        label="Keep for",
        required=False,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Days after its end; 0 for ever. Empty: as long as the cluster's rules say.",
    )
    token = forms.CharField(
        widget=forms.HiddenInput, initial=lambda: uuid4().hex, max_length=64, required=False
    )

    def clean_headers(self) -> dict[str, Any]:
        """An object, or nothing."""
        return _object(self.cleaned_data["headers"])

    def clean_limits(self) -> dict[str, Any]:
        """An object, or nothing."""
        return _object(self.cleaned_data["limits"])

    def clean_file(self) -> UploadedFile[bytes] | None:
        """A text with at least one line."""
        file: UploadedFile[bytes] | None = self.cleaned_data["file"]
        if file is None:
            return None
        try:
            lines.check(cast(BinaryIO, file), "file")
        except InvalidInput as error:
            raise forms.ValidationError(sentence(error)) from error
        return file

    def clean(self) -> dict[str, Any]:
        """Exactly one source of URLs: two would number their lines alike."""
        data: dict[str, Any] = super().clean() or {}
        if "file" not in self.errors and "urls" not in self.errors:
            pasted = bool(data["urls"].strip())
            if pasted and data["file"]:
                self.add_error("file", "Paste the URLs or choose a file, not both.")
            if not pasted and not data["file"]:
                self.add_error("urls", "Paste at least one URL, or choose a file.")
        return data

    def submit(self, owner: User) -> Submission | None:
        """Hand the job in; None when it was refused, and the form says why."""
        try:
            return jobs.submit(owner, self._lines(), self._spec())
        except (Invalid, InvalidInput) as error:
            field = error.field.partition(".")[0]
            self.add_error(field if field in self.fields else None, sentence(error))
        except (Conflict, QuotaExceeded) as error:
            self.add_error(None, str(error))
        return None

    def _lines(self) -> Iterator[tuple[int, str]]:
        file = self.cleaned_data["file"]
        if file:
            return lines.read(cast(BinaryIO, file), "file")
        return lines.read(BytesIO(self.cleaned_data["urls"].encode()), "urls")

    def _spec(self) -> JobSpec:
        data = self.cleaned_data
        body = data["body"].encode() or None
        # A form that is sent twice makes one job.
        key = data["token"] or None
        return JobSpec(**{name: data[name] for name in OPTIONS}, body=body, idempotency_key=key)


def _object(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise forms.ValidationError('Must be a JSON object, as in {"name": "value"}.')
    return value


def sentence(error: Invalid | InvalidInput) -> str:
    """The reason with the part of the field that it is about, if that is more than the field."""
    part = error.field.partition(".")[2]
    text = f"{part} {error.reason}" if part else error.reason
    return f"{text[:1].upper()}{text[1:]}."
