"""Whether somebody is signed in: what a proxy asks before it passes a request on."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache


@never_cache
def session(request: HttpRequest) -> HttpResponse:
    """204 for staff, 401 for anybody else; neither has a body."""
    return HttpResponse(status=204 if admin.site.has_permission(request) else 401)
