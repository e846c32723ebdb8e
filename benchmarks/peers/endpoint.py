"""The endpoint that everybody writes for the everyday program: a row and a message a request."""

import json

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path

from benchmarks.peers.everyday import Page, fetch

settings.ROOT_URLCONF = __name__
settings.ALLOWED_HOSTS = ["127.0.0.1"]


def create(request: HttpRequest) -> JsonResponse:
    """Keep one URL and send its message."""
    page = Page.objects.create(url=json.loads(request.body)["url"])
    fetch.delay(page.pk)
    return JsonResponse({"id": page.pk}, status=201)


urlpatterns = [path("pages", create)]

if Page._meta.db_table not in connection.introspection.table_names():
    with connection.schema_editor() as editor:
        editor.create_model(Page)
connection.close()

application = get_wsgi_application()
