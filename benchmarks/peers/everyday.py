"""The Celery program that everybody writes: one message per URL, a Django project in one file.

Rows by bulk_create of 1,000 and one apply_async each through one pooled producer; a task is get,
save RUNNING, fetch with a Session kept per process, SHA-256, body row, save SUCCEED. Persistent
connections, READ COMMITTED, late acknowledgements, prefetch 4, results ignored, JSON.
"""

import hashlib
import os
import sys
from functools import cache
from pathlib import Path
from threading import Event
from time import monotonic
from urllib.parse import urlsplit

import django
import requests
from celery import Celery
from django.conf import settings
from django.db import connection, models, transaction
from requests.adapters import HTTPAdapter

from benchmarks import entrant

CHUNK = 1000
POLL = 0.05
WAITING, RUNNING, SUCCEED = 0, 2, 4

_server = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.mysql",
            "NAME": _server.path.strip("/"),
            "USER": _server.username,
            "PASSWORD": _server.password,
            "HOST": _server.hostname,
            "PORT": _server.port,
            "CONN_MAX_AGE": None,
            "OPTIONS": {"isolation_level": "read committed"},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

app = Celery("everyday", broker=os.environ["CELERY_BROKER_URL"])
app.conf.update(
    task_default_queue="everyday",
    task_acks_late=True,
    task_ignore_result=True,
    task_serializer="json",
    worker_prefetch_multiplier=4,
    worker_concurrency=2,
)


class Page(models.Model):
    """A URL to fetch."""

    url = models.CharField(max_length=2048)
    state = models.PositiveSmallIntegerField(default=WAITING, db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    sha256 = models.CharField(max_length=64, default="")

    objects: models.Manager["Page"] = models.Manager()

    class Meta:
        app_label = "everyday"

    def __str__(self) -> str:
        return self.url


class Body(models.Model):
    """What was fetched."""

    page = models.OneToOneField(Page, on_delete=models.CASCADE, primary_key=True)
    data = models.BinaryField()

    objects: models.Manager["Body"] = models.Manager()

    class Meta:
        app_label = "everyday"

    def __str__(self) -> str:
        return f"body of {self.pk}"


@cache
def session() -> requests.Session:
    """The process's session; its pool has room for every host of the benchmark."""
    made = requests.Session()
    made.mount("http://", HTTPAdapter(pool_connections=100))
    return made


@app.task(name="everyday.fetch")
def fetch(page_id: int) -> None:
    """Fetch one page and keep it."""
    page = Page.objects.get(pk=page_id)
    page.state = RUNNING
    page.save()
    response = session().get(page.url, timeout=30)
    page.status = response.status_code
    page.sha256 = hashlib.sha256(response.content).hexdigest()
    page.state = SUCCEED
    with transaction.atomic():
        Body.objects.create(page=page, data=response.content)
        page.save()


def submit(urls: list[str]) -> None:
    """Make the rows and send a message for each."""
    with app.producer_pool.acquire(block=True) as producer:
        for begin in range(0, len(urls), CHUNK):
            pages = Page.objects.bulk_create(Page(url=url) for url in urls[begin : begin + CHUNK])
            for page in pages:
                fetch.apply_async((page.pk,), producer=producer)


def main(verb: str, path: str) -> None:
    """fetch: until all have succeeded; submit, send: rows and messages, or messages alone."""
    urls = Path(path).read_text().splitlines()
    if not connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Page)
            editor.create_model(Body)
    if entrant.ready():
        entrant.tell(entrant.measured(lambda: VERBS[verb](urls)))
    if verb != "fetch":
        app.control.purge()


def _fetch(urls: list[str]) -> dict[str, float]:
    began = monotonic()
    submit(urls)
    submitted = monotonic() - began
    while Page.objects.filter(state__in=(WAITING, RUNNING)).exists():
        Event().wait(POLL)
    return {"submitted": submitted}


def _send(urls: list[str]) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for number, _ in enumerate(urls):
            fetch.apply_async((number,), producer=producer)


VERBS = {"fetch": _fetch, "submit": submit, "send": _send}

if __name__ == "__main__":
    main(*sys.argv[1:])
