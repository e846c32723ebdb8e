"""Finding tasks by what a person has at hand, each way by an index."""

import re

from django.db.models import QuerySet

from hashworld.fetcher.errors import InvalidURL
from hashworld.tasks.models import Host, Task
from hashworld.tasks.submit import url_hash

#: How many tasks of a host a search finds; its job's list has them all.
OF_HOST = 1_000
_NUMBER = re.compile(r"#?(?:task[ -])?(\d{1,18})", re.IGNORECASE)


def tasks(found: QuerySet[Task], text: str) -> QuerySet[Task]:
    """Those of `found` with this number, exact URL or host; none when `text` is neither."""
    text = text.strip()
    if number := _NUMBER.fullmatch(text):
        return found.filter(pk=int(number[1]))
    if "/" not in text:
        return _of_host(found, text)
    urls = [text] if "://" in text else [f"https://{text}", f"http://{text}"]
    try:
        return found.filter(url_hash__in=[url_hash(url) for url in urls])
    except InvalidURL:
        return found.none()


def _of_host(found: QuerySet[Task], name: str) -> QuerySet[Task]:
    """Read through the host's index first: together with a filter it could be read to its end."""
    host = Host.objects.filter(name=name.lower().rstrip(".")).first()
    if host is None:
        return found.none()
    newest = Task.objects.filter(host=host).order_by("-lane", "-due_at", "-id")
    return found.filter(pk__in=list(newest.values_list("pk", flat=True)[:OF_HOST]))
