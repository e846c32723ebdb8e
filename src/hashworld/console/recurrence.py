"""The form that makes and changes recurring jobs."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.contrib.auth.models import User
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from hashworld.console.submission import OPTIONS, JobForm, sentence
from hashworld.recurring import changes, template
from hashworld.recurring.models import Recurring
from hashworld.recurring.policy import CatchUp, Overlap
from hashworld.recurring.template import PERIODS, Template, Timing
from hashworld.tasks.errors import InvalidInput
from hashworld.verbs import rights, schedules
from hashworld.verbs.errors import Invalid, NotFound

CRONTAB, INTERVAL, MOMENT = "crontab", "interval", "moment"
KINDS = (
    (CRONTAB, "at the times of a crontab"),
    (INTERVAL, "every so often"),
    (MOMENT, "once, at a moment"),
)
#: A list of more characters is not put into the form again.
SHOWN_URLS = 256 * 1024
#: The fields of each kind of timing, the first of which it cannot do without.
NEEDED = {
    CRONTAB: "Give the five fields of a crontab, as in 30 2 * * *.",
    INTERVAL: "Give a number.",
    MOMENT: "Give a date and a time.",
}
FIRST_FIELD = {CRONTAB: "crontab", INTERVAL: "every", MOMENT: "moment"}


class MomentInput(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """The browser's own choice of date and time."""

    input_type = "datetime-local"


def _select(label: str, choices: Any, initial: str, help_text: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        choices=choices,
        initial=initial,
        widget=UnfoldAdminSelectWidget(),
        help_text=help_text,
    )


class RecurringForm(JobForm):
    """A job's form, with when it is submitted and what else may come of a firing."""

    token = None  # type: ignore[assignment]  # Django's way to leave out an inherited field
    name = forms.CharField(
        max_length=160,
        widget=UnfoldAdminTextInputWidget({"placeholder": "Front pages, every night"}),
        help_text="Its jobs have this name and the time of their firing.",
    )
    job = forms.IntegerField(
        label="Earlier job",
        required=False,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Or the number of a job, whose URLs are taken as they are now.",
    )
    kind = _select("Fires", KINDS, CRONTAB)
    crontab = forms.CharField(
        required=False,
        max_length=600,
        widget=UnfoldAdminTextInputWidget({"placeholder": "30 2 * * *"}),
        help_text="Minute, hour, day of month, month, day of week (0 is Sunday); a day must fit"
        " both. A time that the change to summer time leaves out comes an hour later; one that"
        " comes twice counts once.",
    )
    every = forms.IntegerField(
        required=False,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Time that passes,"
        " whatever the clocks do. For the same hour every day, use a crontab.",
    )
    period = _select("Unit", [(period, period) for period in PERIODS], "minutes")
    moment = forms.DateTimeField(
        required=False, widget=MomentInput(), help_text="By the clocks of the time zone."
    )
    timezone = _select("Time zone", [(zone, zone) for zone in sorted(available_timezones())], "UTC")
    overlap = _select(
        "While its last job runs", Overlap.choices, Overlap.SKIP, "What a new firing does."
    )
    catch_up = _select(
        "Missed firings made up for",
        CatchUp.choices,
        CatchUp.LAST,
        "Those whose time passed while no scheduler was there.",
    )
    window = forms.IntegerField(
        label="Window",
        initial=3600,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Seconds back within which all missed firings are made up for.",
    )

    def __init__(self, *args: Any, recurring: Recurring | None = None, **kwargs: Any) -> None:
        self._recurring = recurring
        if recurring:
            kwargs["initial"] = _initial(recurring)
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = "A UTF-8 text with one URL on each line, at most 8 MB."
        if recurring:
            self.fields["urls"].help_text = "One on each line. Left empty, the list stays as it is."

    def clean(self) -> dict[str, Any]:
        """One source of URLs at most, and none only where there is a list already."""
        data: dict[str, Any] = forms.Form.clean(self) or {}
        if not {"file", "urls", "job"} & self.errors.keys():
            given = [bool(data["urls"].strip()), bool(data["file"]), data["job"] is not None]
            if sum(given) > 1:
                self.add_error("urls", "Paste the URLs, choose a file or name a job: one of them.")
            if not any(given) and not self._recurring:
                self.add_error("urls", "Paste at least one URL, choose a file or name a job.")
        kind = data.get("kind")
        if kind and FIRST_FIELD[kind] not in self.errors and not data.get(FIRST_FIELD[kind]):
            self.add_error(FIRST_FIELD[kind], NEEDED[kind])
        return data

    def save(self, owner: User) -> Recurring | None:
        """Make or change it; None when it was refused, and the form says why."""
        try:
            template = self._template(owner)
            if self._recurring:
                return schedules.change(owner, self._recurring.pk, template, self._timing())
            return schedules.create(owner, template, self._timing())
        except (Invalid, InvalidInput) as error:
            field = error.field.partition(".")[0]
            self.add_error(field if field in self.fields else None, sentence(error))
        except NotFound as error:
            self.add_error("job", str(error))
        return None

    def _template(self, owner: User) -> Template:
        data = self.cleaned_data
        options = {name: data[name] for name in OPTIONS if name != "name"}
        if self._recurring and "tags" in self._recurring.options:
            options["tags"] = self._recurring.options["tags"]
        if data["body"]:
            options["body"] = data["body"]
        return Template(
            data["name"],
            self._urls(owner),
            options,
            data["overlap"],
            data["catch_up"],
            data["window"],
        )

    def _urls(self, owner: User) -> str:
        data = self.cleaned_data
        if data["job"] is not None:
            return template.urls_of(rights.job(owner, data["job"]).pk)
        if data["file"]:
            return str(data["file"].read().decode("utf-8-sig"))
        if self._recurring and not data["urls"].strip():
            return self._recurring.urls
        return str(data["urls"])

    def _timing(self) -> Timing:
        data = self.cleaned_data
        zone: str = data["timezone"]
        match data["kind"]:
            case "crontab":
                return Timing(zone, crontab=" ".join(data["crontab"].split()))
            case "interval":
                return Timing(zone, every=data["every"], period=data["period"])
            case _:
                # Django has read the clock's face as UTC.
                local = data["moment"].replace(tzinfo=ZoneInfo(zone))
                return Timing(zone, moment=local.astimezone(UTC))


def _initial(recurring: Recurring) -> dict[str, Any]:
    timing = changes.timing_of(recurring)
    kind = CRONTAB if timing.crontab else INTERVAL if timing.every else MOMENT
    return {
        **recurring.options,
        "name": recurring.name,
        "urls": recurring.urls if len(recurring.urls) <= SHOWN_URLS else "",
        "kind": kind,
        "crontab": timing.crontab,
        "every": timing.every,
        "period": timing.period,
        "moment": _face(timing.moment, recurring.zone),
        "timezone": recurring.timezone,
        "overlap": recurring.overlap,
        "catch_up": recurring.catch_up,
        "window": recurring.window,
    }


def _face(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}" if moment else ""
