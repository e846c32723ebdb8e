"""`manage.py inituser`: the first account."""

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from environs import FileAwareEnv

RANDOM_BYTES = 15


class Command(BaseCommand):
    """Make the administrator's account once; run again, it changes nothing."""

    help = (
        "Makes the administrator DJANGO_SUPERUSER_USERNAME (admin) with the password of"
        " DJANGO_SUPERUSER_PASSWORD or the file DJANGO_SUPERUSER_PASSWORD_FILE, or with a random"
        " one that is printed. An account that exists is left as it is."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the account unless it is there."""
        env = FileAwareEnv(strip_whitespace=True)
        name = env.str("DJANGO_SUPERUSER_USERNAME", "") or "admin"
        email = env.str("DJANGO_SUPERUSER_EMAIL", "")
        given = env.str("DJANGO_SUPERUSER_PASSWORD", "")
        users = get_user_model().objects
        if users.filter(username=name).exists():
            self.stdout.write(f"The user {name} exists already; nothing was changed.")
            return
        password = given or secrets.token_urlsafe(RANDOM_BYTES)
        users.create_superuser(name, email, password)
        self.stdout.write(f"Made the administrator {name}.")
        if not given:
            self.stdout.write(f"Password (shown this once): {password}")
