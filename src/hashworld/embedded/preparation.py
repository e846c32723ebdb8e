"""Makes a data folder ready to run: database, lands, schedules, and somebody to log in as."""

from io import StringIO

from django.conf import settings
from django.core.management import call_command
from django.db import connections


def prepare() -> str:
    """Bring everything up to date, keeping what is there; what to tell of the administrator.

    That text holds the password only when the administrator was made just now.
    """
    settings.STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns where there is none
    silent, told = StringIO(), StringIO()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("initland", stdout=silent)
    call_command("initschedules", stdout=silent)
    call_command("loaddata", "init.json", verbosity=0)
    call_command("inituser", stdout=told)
    # The servers are about to start; a connection kept open here would only be in their way.
    connections.close_all()
    return told.getvalue().strip()
