"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from hashworld.api.health import known_migrations

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hashworld.settings")

application = get_wsgi_application()
known_migrations()  # now: by the time that somebody asks, the files may be another version's
