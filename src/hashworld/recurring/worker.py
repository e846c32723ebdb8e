"""Celery's entry point of recurring jobs."""

from hashworld.celery import app
from hashworld.recurring import submission
from hashworld.recurring.changes import SUBMIT_DUE


@app.task(name=SUBMIT_DUE)
def submit_due() -> None:
    """Submit what recurring jobs owe: when one has fired, and every ten seconds."""
    submission.submit_due()
