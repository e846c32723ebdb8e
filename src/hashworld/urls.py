"""The site's addresses."""

from django.contrib import admin
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.generic import RedirectView

from hashworld.api import chat, health
from hashworld.api.rest import door
from hashworld.console import dashboard
from hashworld.console.live import live
from hashworld.console.metrics import metrics
from hashworld.console.session import session

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("metrics", metrics, name="metrics"),
    path("healthz", health.alive, name="alive"),
    path("readyz", health.ready, name="ready"),
    path("api/v1/", door.urls),
    path("admin/dashboard/", live(dashboard.fragment), name="dashboard"),
    path("admin/pause/", admin.site.admin_view(require_POST(dashboard.pause)), name="pause"),
    path("admin/chat/", admin.site.admin_view(chat.page), name="chat"),
    path(
        "admin/chat/ticket/",
        admin.site.admin_view(never_cache(require_POST(chat.ticket))),
        name="chat-ticket",
    ),
    path("admin/session/", session, name="session"),
    path("admin/", admin.site.urls),
]
