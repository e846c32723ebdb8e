"""What the console's templates say with: relative times, sizes, badges, safe links."""

from datetime import datetime
from urllib.parse import urlsplit

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hashworld.console import badges, text, wording

register = template.Library()
register.filter("size", wording.size)
register.filter("number", wording.number)
register.filter("short", wording.short)
register.filter("rate", wording.rate)
register.filter("duration", wording.duration)
register.filter("roughly", wording.roughly)
register.filter("words", wording.words)
register.filter("visible", text.visible)
register.filter("state", badges.state)
register.filter("job_badge", badges.job)
register.filter("tone", badges.tone)
register.filter("recurring_badge", badges.recurring)
register.filter("firing_badge", badges.firing)


@register.filter
def ago(moment: datetime | None) -> SafeString:
    """A moment in relation to now, with the exact one in its tooltip; a dash for none."""
    if moment is None:
        return SafeString(wording.NONE)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        wording.relative(moment, timezone.now()),
    )


@register.filter
def outside(url: str) -> SafeString:
    """A URL as a link to the outside if it is http or https, and as bare text otherwise."""
    shown = text.visible(url)
    if urlsplit(url).scheme not in ("http", "https"):
        return format_html("{}", shown)
    return format_html(
        '<a class="hw-link" href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>',
        url,
        shown,
    )
