"""What is wrong with the database, told to people."""

from django.core.exceptions import ImproperlyConfigured
from django.db import Error


def explain(error: Error | ImproperlyConfigured) -> str:
    """One line on what is wrong with the database, and what to do."""
    text = str(error.args[-1] if error.args else error).strip().splitlines()[0]
    if "no such table" in text or "doesn't exist" in text:
        return f"The database is not set up: {text}. Run `make migrate` first."
    if isinstance(error, ImproperlyConfigured):
        return f"The configuration cannot be used: {text}"
    return f"The database cannot be used: {text}. Is it running, and is DATABASE_URL right?"
