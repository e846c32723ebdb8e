"""What a recurring job is made of, checked as a submission checks it, and its timing in words."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django_celery_beat.models import CrontabSchedule

from hashworld.fetcher.errors import InvalidURL
from hashworld.recurring import timing
from hashworld.recurring.policy import CatchUp, Overlap
from hashworld.recurring.submission import spec
from hashworld.tasks import lines
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import Task
from hashworld.tasks.submit import url_hash

#: A list of more is handed in as a job, not kept as a template; bytes.
MOST_URLS = 8 * 1024 * 1024
#: Each firing is a job of its own.
SHORTEST = timedelta(seconds=10)
PERIODS = ("seconds", "minutes", "hours", "days")
#: So many refused lines are told.
TOLD = 5
FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


@dataclass(frozen=True, slots=True)
class Timing:
    """One of three: a crontab of five fields, an interval, or one moment."""

    timezone: str = "UTC"
    crontab: str = ""
    every: int | None = None
    period: str = "minutes"
    moment: datetime | None = None

    def check(self, now: datetime) -> None:
        """Raise InvalidInput naming the first field that cannot be used."""
        if self.timezone not in available_timezones():
            raise InvalidInput("timezone", f"{self.timezone!r} is not known, as in Europe/Berlin")
        given = (bool(self.crontab), self.every is not None, self.moment is not None)
        if sum(given) != 1:
            raise InvalidInput("kind", "give either a crontab, an interval or a moment")
        if self.crontab:
            self._check_crontab(now)
        elif self.every is not None:
            self._check_interval()
        elif self.moment and self.moment <= now:
            raise InvalidInput("moment", "has passed; give one to come")

    def crontab_row(self) -> CrontabSchedule:
        """The crontab as an unsaved row."""
        parts = dict(zip(FIELDS, self.crontab.split(), strict=True))
        return CrontabSchedule(timezone=ZoneInfo(self.timezone), **parts)

    def interval(self) -> timedelta:
        """The time between two firings."""
        return timedelta(**{self.period: self.every or 0})

    def _check_crontab(self, now: datetime) -> None:
        count = len(self.crontab.split())
        if count != len(FIELDS):
            raise InvalidInput(
                "crontab", f"has {count} fields; give minute, hour, day, month and weekday"
            )
        row = self.crontab_row()
        try:
            row.clean_fields()
            found = timing.crontab(row)
        except ValidationError as error:
            raise InvalidInput("crontab", _first(error)) from error
        except ValueError as error:
            raise InvalidInput("crontab", str(error)) from error
        if found.next(now) is None:
            raise InvalidInput("crontab", "names no day that ever comes")

    def _check_interval(self) -> None:
        if self.period not in PERIODS:
            raise InvalidInput("period", f"must be one of {', '.join(PERIODS)}")
        try:
            every = self.interval()
        except OverflowError as error:
            raise InvalidInput("every", "is too long") from error
        if not SHORTEST <= every <= timedelta(days=3660):
            least = int(SHORTEST.total_seconds())
            raise InvalidInput("every", f"must be from {least} seconds to ten years")


@dataclass(frozen=True, slots=True)
class Template:
    """What is submitted, and how firings behave. `urls` is a list as people keep it."""

    name: str
    urls: str
    options: dict[str, Any] = field(default_factory=dict)
    overlap: str = Overlap.SKIP
    catch_up: str = CatchUp.LAST
    window: int = 3600

    def check(self) -> None:
        """Raise InvalidInput naming the first field that cannot be used."""
        if not 0 < len(self.name) <= 160:
            raise InvalidInput("name", "must have 1 to 160 characters")
        if self.overlap not in Overlap.values:
            raise InvalidInput("overlap", f"must be one of {', '.join(Overlap.values)}")
        if self.catch_up not in CatchUp.values:
            raise InvalidInput("catch_up", f"must be one of {', '.join(CatchUp.values)}")
        if not 0 <= self.window <= 30 * 86_400:
            raise InvalidInput("window", "must be from 0 seconds to 30 days")
        try:
            spec(self.options).check()
        except TypeError as error:
            raise InvalidInput("options", f"{error}; give the options of a job") from error
        _check_urls(self.urls)

    def columns(self) -> dict[str, Any]:
        """As columns of Recurring."""
        return {
            "name": self.name,
            "urls": self.urls,
            "options": self.options,
            "overlap": self.overlap,
            "catch_up": self.catch_up,
            "window": self.window,
        }


def urls_of(job_id: int) -> str:
    """The URLs of an earlier job as they are, for a template of their own.

    Raises InvalidInput when there is no such job, or when it has too many.
    """
    found = Task.objects.filter(job_id=job_id).order_by("id").values_list("url", flat=True)
    text = _joined(found.iterator(chunk_size=1000))
    if not text:
        raise InvalidInput("job", f"there is no job {job_id} with URLs")
    return text


def _joined(urls: Iterable[str]) -> str:
    kept, size = [], 0
    for url in urls:
        size += len(url) + 1
        if size > MOST_URLS:
            raise InvalidInput("job", f"has more than {MOST_URLS:,} bytes of URLs")
        kept.append(url)
    return "\n".join(kept)


def _check_urls(urls: str) -> None:
    """Every line must be fetchable: nobody is there to read refusals when it fires."""
    data = urls.encode()
    if len(data) > MOST_URLS:
        raise InvalidInput("urls", f"must be at most {MOST_URLS:,} bytes")
    refused, good = [], 0
    for number, text in lines.read(BytesIO(data), "urls"):
        try:
            url_hash(text)
            good += 1
        except InvalidURL as error:
            refused.append(f"line {number}, {text[:200]!r}: {error.reason}")
    if refused:
        more = f"; and {len(refused) - TOLD:,} more" if len(refused) > TOLD else ""
        raise InvalidInput("urls", f"{'; '.join(refused[:TOLD])}{more}")
    if not good:
        raise InvalidInput("urls", "there is none; give at least one URL")


def _first(error: ValidationError) -> str:
    name, messages = next(iter(error.message_dict.items()))
    return f"{name.replace('_', ' ')}: {messages[0]}"
