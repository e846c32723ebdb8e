"""What is wrong with the database, told to people."""

from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import Error

#: No connection, or one that was lost: what MySQL's client library numbers (CR_MIN_ERROR on).
CLIENT_ERRORS: Final = range(2000, 3000)
#: The server shuts down (ER_SERVER_SHUTDOWN).
SHUTDOWN: Final = 1053


def is_away(error: BaseException) -> bool:
    """Whether the server could not be reached or went away, so that another try may help."""
    number = error.args[0] if error.args else None
    return number == SHUTDOWN or number in CLIENT_ERRORS


def explain(error: Error | ImproperlyConfigured) -> str:
    """One line on what is wrong with the database, and what to do."""
    text = str(error.args[-1] if error.args else error).strip().splitlines()[0]
    if "no such table" in text or "doesn't exist" in text:
        return f"The database is not set up: {text}. Run `make migrate` first."
    if isinstance(error, ImproperlyConfigured):
        return f"The configuration cannot be used: {text}"
    return f"The database cannot be used: {text}. Is it running, and is DATABASE_URL right?"
