"""Parts of pages that ask for themselves again."""

from collections.abc import Callable
from functools import wraps

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache

View = Callable[..., HttpResponse]


def live(view: View) -> View:
    """For signed-in people only; a page that is still open after the session has ended is sent
    to sign in as a whole, or the sign-in form would be put into the middle of it.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if "HX-Request" in request.headers and not admin.site.has_permission(request):
            return HttpResponse(status=401, headers={"HX-Redirect": reverse("admin:index")})
        return admin.site.admin_view(never_cache(view))(request, *args, **kwargs)

    return guarded
