"""Celery's entry point."""

from hashworld.celery import app
from hashworld.verbs import operations


@app.task(name="hashworld.operate")
def operate() -> None:
    """Carry on with bulk operations; every second."""
    operations.carry_out_all()
